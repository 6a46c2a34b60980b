"""What a task says about how its runs are dispatched and kept, in requests, task files and answers."""

import math

import msgspec

from scheduler_core.decisions.duration_text import duration_text
from scheduler_core.models import Task, TaskRunStatus, UniquePolicy


class UniqueBody(msgspec.Struct, kw_only=True):
    """When a trigger gives back a run that is there already instead of making one.

    `key` is an expression over the run's parameters, task and namespace (null: all runs of the task are alike). A run
    of the same key counts while it is in one of `states` (null: those that are not final) and, with `window`, was made
    within that time. With `debounce` a trigger puts off the start of a run that waits by that time, at most
    `debounce_max` after the first trigger. With `throttle` at most one run of a key is made within that time. Times are
    text such as 10m, or seconds.
    """

    key: str | None = None
    states: list[TaskRunStatus] | None = None
    window: float | str | None = None
    debounce: float | str | None = None
    debounce_max: float | str | None = None
    throttle: float | str | None = None


class UniqueView(msgspec.Struct, kw_only=True):
    """The same in an answer, with its defaults written out."""

    key: str | None
    states: list[TaskRunStatus]
    window: float | str | None
    debounce: float | str | None
    debounce_max: float | str | None
    throttle: float | str | None


def unique_view(policy: UniquePolicy) -> UniqueView:
    """What answers show of it; it can be sent again."""
    return UniqueView(
        key=policy.key,
        states=list(policy.states),
        window=time_shown(policy.window_seconds),
        debounce=time_shown(policy.debounce_seconds),
        debounce_max=time_shown(policy.debounce_max_seconds),
        throttle=time_shown(policy.throttle_seconds),
    )


def time_shown(seconds: float | None) -> float | str | None:
    """Whole seconds as text, others as the number they are.

    >>> time_shown(2592000.0), time_shown(0.5), time_shown(None)
    ('30d', 0.5, None)
    """
    if seconds is None or seconds != int(seconds):
        return seconds
    return duration_text(int(seconds))


def kept(task: Task) -> str | None:
    """For how long its finished runs are kept, as answers show it: text that can be sent again, never shorter."""
    return None if task.keep_seconds is None else duration_text(math.ceil(task.keep_seconds))
