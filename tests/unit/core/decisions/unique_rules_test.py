"""Triggers of unique runs: what is made, given back or put off."""

from datetime import UTC, datetime
from typing import Any

import pytest

from scheduler_core.decisions.unique_rules import UniqueVerdict, unique_verdict
from scheduler_core.interfaces.unique_run_repository import UniqueRun
from scheduler_core.models import TaskRunStatus, UniquePolicy

PENDING, RUNNING, COMPLETED = TaskRunStatus.PENDING, TaskRunStatus.RUNNING, TaskRunStatus.COMPLETED
FIRST = datetime(2027, 1, 1, tzinfo=UTC)


def verdict(latest: TaskRunStatus | None, age: float = 10.0, *, may_put_off: bool = True, **policy: Any) -> str:
    """The verdict on a trigger whose key stands for a run in this status that was made so long ago."""
    run = UniqueRun(7, latest, FIRST, age)
    return unique_verdict(UniquePolicy(**policy), run, may_put_off=may_put_off).name


def test_unique_verdict_makes_the_first_run() -> None:
    """A key without a run, or whose run was removed, gets one."""
    assert unique_verdict(UniquePolicy(), None) is UniqueVerdict.MAKE
    assert verdict(None, throttle_seconds=60.0, debounce_seconds=5.0) == "MAKE"


@pytest.mark.parametrize("status", list(TaskRunStatus))
def test_unique_verdict_gives_back_what_is_in_one_of_its_states(status: TaskRunStatus) -> None:
    """A run counts while it is in one of the states: those of unfinished runs, unless others are named."""
    assert verdict(status) == ("MAKE" if status.is_final else "GIVE_BACK")
    assert verdict(status, states=(COMPLETED,)) == ("GIVE_BACK" if status is COMPLETED else "MAKE")


def test_unique_verdict_forgets_what_is_older_than_the_window() -> None:
    """With a window a run counts only for so long after it was made."""
    assert verdict(RUNNING, 59.9, window_seconds=60.0) == "GIVE_BACK"
    assert verdict(RUNNING, 60.0, window_seconds=60.0) == "MAKE"


def test_unique_verdict_throttles_in_whatever_state() -> None:
    """Within the throttle there is one run of a key, however it stands; after it a new one is made."""
    assert verdict(COMPLETED, 59.9, throttle_seconds=60.0) == "GIVE_BACK"
    assert verdict(COMPLETED, 60.0, throttle_seconds=60.0) == "MAKE"
    assert verdict(RUNNING, 60.0, throttle_seconds=60.0) == "MAKE"


def test_unique_verdict_puts_off_what_waits() -> None:
    """With a debounce a waiting run is put off, and one that has begun is nothing to the next trigger."""
    assert verdict(PENDING, debounce_seconds=5.0) == "PUT_OFF"
    assert verdict(PENDING, debounce_seconds=5.0, may_put_off=False) == "MAKE"
    assert verdict(RUNNING, debounce_seconds=5.0) == "MAKE"
