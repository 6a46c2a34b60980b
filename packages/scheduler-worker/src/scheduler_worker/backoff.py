"""Pauses that grow while something stays away."""

import random


class Backoff:
    """Pauses in seconds: doubling from `first` up to `longest`, each shortened at random by up to a half."""

    def __init__(self, first: float = 0.1, longest: float = 5.0) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def next_seconds(self) -> float:
        """The pause to make now."""
        pause, self._next = self._next, min(self._next * 2, self._longest)
        return pause * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """What was away is back."""
        self._next = self._first
