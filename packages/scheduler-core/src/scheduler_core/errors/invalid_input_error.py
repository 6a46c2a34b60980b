"""Bad input, with every problem of it at once."""

from collections.abc import Sequence
from typing import NamedTuple

from scheduler_core.errors.scheduler_error import SchedulerError


class Problem(NamedTuple):
    """One thing that is wrong: the field's path, such as ``schedule.cron``, and a sentence with the remedy."""

    field: str
    message: str


class InvalidInputError(SchedulerError, ValueError):
    """What was sent cannot be accepted, and nothing was changed."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{p.field}: {p.message}" if p.field else p.message for p in problems))
        self.problems = tuple(problems)

    @classmethod
    def of(cls, field: str, message: str) -> "InvalidInputError":
        """Make the error for a single problem."""
        return cls([Problem(field, message)])
