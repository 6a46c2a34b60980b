"""What a task says about its place in a flow, in words."""

from collections.abc import Mapping, Sequence
from typing import Any


def show_dependencies(dependencies: Sequence[Any] | None, *, in_full: bool = False) -> str:
    """Those that are waited for, in one line; conditions and deadlines only in full.

    >>> show_dependencies(["extract", {"task": "hourly", "interval": "contained", "deadline": "3h"}])
    'extract, hourly (contained)'
    """
    return ", ".join(_dependency(each, in_full=in_full) for each in dependencies or ()) or "-"


def task_flow_fields(task: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The lines of `task show` about its place in a flow, only those that say something."""
    pairs = []
    if (rule := task.get("trigger_rule") or "all_success") != "all_success":
        pairs.append(("Rule", str(rule)))
    if task.get("when") is not None:
        pairs.append(("When", str(task["when"])))
    if task.get("continue_on_failure"):
        pairs.append(("Its failure", "passes for a success"))
    if group := _group(task):
        pairs.append(("Group", group))
    return pairs


def _dependency(dependency: Any, *, in_full: bool) -> str:
    if not isinstance(dependency, Mapping):
        return str(dependency)
    told = [str(dependency.get("interval"))]
    if in_full:
        if (condition := dependency.get("condition") or "success") != "success":
            told.append(str(condition))
        if (deadline := dependency.get("deadline")) is not None:
            told.append(f"by {deadline} after the slot")
        if (on_unmet := dependency.get("on_unmet") or "skip") != "skip" or deadline is not None:
            told.append(f"else {on_unmet}")
    return f"{dependency.get('task')} ({', '.join(told)})"


def _group(task: Mapping[str, Any]) -> str:
    if task.get("sub_flow") is not None:
        told = [f"the flow of {task['sub_flow']}"]
    elif task.get("shards") is not None:
        told = ["1 shard" if task["shards"] == 1 else f"{task['shards']} shards"]
    elif task.get("map_over") is not None:
        told = [f"a run for each item of {task['map_over']}"]
    elif task.get("broadcast"):
        told = ["a run on each live worker of the queue"]
    else:
        return ""
    if task.get("max_parallel") is not None:
        told.append(f"at most {task['max_parallel']} at once")
    if task.get("tolerated_failures"):
        told.append(f"{task['tolerated_failures']} may fail")
    return ", ".join(told)
