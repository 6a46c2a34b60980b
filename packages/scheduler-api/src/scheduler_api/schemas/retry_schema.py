"""When a task's failed runs are tried again, in requests, task files and answers."""

from typing import Any

import msgspec

from scheduler_core.models import RetryPolicy

_DEFAULT = RetryPolicy()


class RetryBody(msgspec.Struct, kw_only=True):
    """How long to wait before a failed run is tried again: delay x multiplier^failures, capped, then jittered.

    With multiplier 1 the wait is always the same; `delays` are instead waited one after another, the last one again and
    again. With any of the `on_` lists only failures that fit one of them are tried again: exit codes of programs (a
    signal's number is negative), HTTP statuses, classes of exceptions by their names (dotted or not; their subclasses
    fit, too), and regular expressions that a line at the end of the output fits. Time-outs are always tried again.
    """

    delay_seconds: float = _DEFAULT.delay_seconds
    multiplier: float = _DEFAULT.multiplier
    max_delay_seconds: float = _DEFAULT.max_delay_seconds
    jitter: float = _DEFAULT.jitter
    delays: list[float] = []
    on_exit_codes: list[int] = []
    on_statuses: list[int] = []
    on_exceptions: list[str] = []
    on_output: list[str] = []


class RetryView(msgspec.Struct, kw_only=True):
    """A task's retry policy in an answer, with its defaults written out."""

    delay_seconds: float
    multiplier: float
    max_delay_seconds: float
    jitter: float
    delays: list[float]
    on_exit_codes: list[int]
    on_statuses: list[int]
    on_exceptions: list[str]
    on_output: list[str]


def retry_view(policy: RetryPolicy) -> RetryView:
    """What answers show of it; it can be sent again."""
    return RetryView(**{name: _shown(getattr(policy, name)) for name in RetryView.__struct_fields__})


def retry_policy(body: RetryBody) -> RetryPolicy:
    """What a body says.

    >>> retry_policy(RetryBody(delays=[1, 5])).delays
    (1.0, 5.0)
    """
    values = {name: getattr(body, name) for name in RetryBody.__struct_fields__}
    return msgspec.convert(values, RetryPolicy)


def _shown(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
