"""What a task says about how its runs are dispatched, in words."""

from collections.abc import Mapping
from typing import Any

from scheduler_core.decisions.size_text import size_text

_IN_BYTES = ("memory", "disk")
_TIMES = (("window", "made within {}"), ("throttle", "one within {}"))


def task_dispatch_fields(task: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The lines of `task show` about its dispatch, only those that say something."""
    return [pair for pair in _pairs(task) if pair[1]]


def show_resources(resources: Mapping[str, float]) -> str:
    """Amounts in one line.

    >>> show_resources({"cpu": 2.0, "memory": 2147483648.0})
    'cpu 2, memory 2GB'
    """
    return ", ".join(
        f"{name} {size_text(amount) if name in _IN_BYTES else f'{amount:g}'}"
        for name, amount in sorted(resources.items())
    )


def _pairs(task: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Strategy", str(task.get("strategy") or "")),
        ("Tags", _tags(task)),
        ("Resources", show_resources(task.get("resources") or {})),
        ("Hash key", str(task.get("hash_key") or "")),
        ("Limits", ", ".join(task.get("limits") or ())),
        ("Fairness", _fairness(task)),
        ("Background", "yes: after all others, but for a guaranteed share" if task.get("background") else ""),
        ("Unique", _unique(task.get("unique"))),
        ("Kept", _kept(task)),
        ("Quarantine", _quarantine(int(task.get("max_losses", 5)))),
    ]


def _tags(task: Mapping[str, Any]) -> str:
    kinds = (("required_tags", ""), ("preferred_tags", "rather "), ("forbidden_tags", "not "))
    return ", ".join(f"{word}{tag}" for field, word in kinds for tag in task.get(field) or ())


def _fairness(task: Mapping[str, Any]) -> str:
    if task.get("fairness_key") is None:
        return ""
    weight = task.get("fairness_weight", 1)
    shown = f"{weight:g}" if isinstance(weight, int | float) else str(weight)
    return f"places in turn by {task['fairness_key']}" + (f", weight {shown}" if weight != 1 else "")


def _unique(unique: Mapping[str, Any] | None) -> str:
    if unique is None:
        return ""
    told = [f"by {unique['key']}" if unique.get("key") else "one run of the task"]
    is_debounce = unique.get("debounce") is not None
    if unique.get("throttle") is None and not is_debounce:
        told.append(f"while {', '.join(unique.get('states') or ())}")
    told += [
        words.format(_time(unique[name]))
        for name, words in _TIMES
        if unique.get(name) is not None and not is_debounce  # states and window say nothing to a debounce
    ]
    if is_debounce:
        longest = unique.get("debounce_max")
        told.append(
            f"each trigger puts it off by {_time(unique['debounce'])}"
            + (f", at most {_time(longest)}" if longest is not None else "")
        )
    return ", ".join(told)


def _kept(task: Mapping[str, Any]) -> str:
    told = [f"for {_time(task['keep'])}"] if task.get("keep") is not None else []
    if task.get("keep_runs") is not None:
        told.append(
            f"the last {task['keep_runs']} finished runs" if task["keep_runs"] != 1 else "the last finished run"
        )
    return ", ".join(told)


def _quarantine(losses: int) -> str:
    return "" if losses == 5 else "after 1 lost worker" if losses == 1 else f"after {losses} lost workers"


def _time(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g} s"
