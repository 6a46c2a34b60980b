"""What a trigger of a task with unique runs leads to: a new run, or the one that is there already."""

from enum import Enum, auto

from scheduler_core.interfaces.unique_run_repository import UniqueRun
from scheduler_core.models import TaskRunStatus, UniquePolicy


class UniqueVerdict(Enum):
    """What is done with a trigger."""

    MAKE = auto()
    """A new run is made."""
    GIVE_BACK = auto()
    """The latest run of the key is the answer, and stays as it is."""
    PUT_OFF = auto()
    """The latest run of the key is the answer; its start is put off, and it gets the new parameters."""


def unique_verdict(policy: UniquePolicy, latest: UniqueRun | None, *, may_put_off: bool = True) -> UniqueVerdict:
    """Judge a trigger whose key stands for the run `latest`, None: for none yet.

    With a debounce a run that has begun, or is about to, is nothing to the next trigger; `may_put_off` False says that
    the run turned out to be such. A throttle asks for nothing but the run's age.
    """
    if latest is None or latest.status is None:
        return UniqueVerdict.MAKE
    if policy.debounce_seconds is not None:
        waits = latest.status is TaskRunStatus.PENDING and may_put_off
        return UniqueVerdict.PUT_OFF if waits else UniqueVerdict.MAKE
    seconds = policy.window_seconds if policy.throttle_seconds is None else policy.throttle_seconds
    is_in_state = policy.throttle_seconds is not None or latest.status in policy.states
    counts = is_in_state and (seconds is None or latest.age_seconds < seconds)
    return UniqueVerdict.GIVE_BACK if counts else UniqueVerdict.MAKE
