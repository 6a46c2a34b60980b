"""What `task show` says of a task's time-outs and retries."""

from collections.abc import Mapping
from typing import Any

from scheduler_api.client.human_time import show_duration

_FURTHER = {
    "soft_timeout_seconds": "a job is told after {}",
    "queue_timeout_seconds": "waits {} for a worker",
    "total_timeout_seconds": "all attempts together {}",
}
_CONDITIONS = {
    "on_exit_codes": "exit code",
    "on_statuses": "HTTP status",
    "on_exceptions": "exception",
    "on_output": "output",
}


def time_fields(task: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Its time-outs, and when failed runs are tried again.

    >>> time_fields({"timeout_seconds": 60, "queue_timeout_seconds": 5, "max_retries": 1, "retry": {"delays": [2]}})
    [('Time-out', '1 min; waits 5 s for a worker'), ('Retries', 'up to 1, after 2 s')]
    """
    timeout = task.get("timeout_seconds")
    times = ["none" if timeout is None else show_duration(float(timeout))]
    times += [words.format(show_duration(float(task[name]))) for name, words in _FURTHER.items() if task.get(name)]
    return [
        ("Time-out", "; ".join(times)),
        ("Retries", _retries(int(task.get("max_retries") or 0), task.get("retry") or {})),
    ]


def _retries(max_retries: int, retry: Mapping[str, Any]) -> str:
    if max_retries == 0:
        return "none"
    conditions = [
        f"{words} {', '.join(map(str, retry[name]))}" for name, words in _CONDITIONS.items() if retry.get(name)
    ]
    only = f"; only after {' or '.join(conditions)}, or a time-out" if conditions else ""
    return f"up to {max_retries}, {_waits(retry)}{only}"


def _waits(retry: Mapping[str, Any]) -> str:
    if delays := retry.get("delays"):
        return "after " + ", then ".join(show_duration(float(delay)) for delay in delays)
    delay = show_duration(float(retry.get("delay_seconds", 10.0)))
    factor = float(retry.get("multiplier", 2.0))
    if factor == 1:
        return f"each after {delay}"
    longest = show_duration(float(retry.get("max_delay_seconds", 3600.0)))
    return f"after {delay}, then {factor:g} times as long each, at most {longest}"
