"""Strategies that leave some runs to the next one of a composite."""

from collections.abc import Sequence
from typing import Protocol

from scheduler_core.interfaces import DispatchStrategy
from scheduler_core.models.dispatch import Placement, WorkerView


class PassingStrategy(DispatchStrategy, Protocol):
    """A strategy that has something of its own to say about some runs only.

    `choose` decides for the others, too, as nobody else will; before the end of a composite this one is asked instead.
    Any strategy may have it.
    """

    def choose_if_suited(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """Like `choose`; None: another strategy may as well decide."""
