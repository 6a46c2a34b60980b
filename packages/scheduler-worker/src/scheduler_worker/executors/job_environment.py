"""What a job's environment holds, and by which mark its processes are known."""

import os
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase

import msgspec

from scheduler_core.interfaces import RunContext
from scheduler_worker.containment import supervision
from scheduler_worker.containment.marked_processes import MARK, kill_marked
from scheduler_worker.containment.program import JobUser
from scheduler_worker.worker_config import JOB_ENVIRONMENT

_OWN_PREFIX = "SCHEDULER_"
_PATIENCE_SECONDS = 2.0
_ITEM_BYTES_MAX = 65_536


def base_environment(names: Collection[str] = JOB_ENVIRONMENT) -> dict[str, str]:
    """Those variables of this process that jobs may have, marked as the worker's; a name may end with *.

    Whatever is listed, the settings of the worker are not among them.
    """
    exact = frozenset(names)
    patterns = [name for name in names if "*" in name]
    kept = {
        name: value
        for name, value in os.environ.items()
        if (name in exact or any(fnmatchcase(name, pattern) for pattern in patterns))
        and not name.startswith(_OWN_PREFIX)
    }
    return {**kept, MARK: f"{supervision.TOKEN}-"}


def run_environment(context: RunContext) -> dict[str, str]:
    """The variables that tell a job which run it is; an item, as JSON, only if it is not large."""
    variables = {
        "SCHEDULER_RUN_ID": str(context.run_id),
        "SCHEDULER_ATTEMPT": str(context.attempt),
        "SCHEDULER_TASK_NAME": context.task_name,
        "SCHEDULER_NAMESPACE": context.namespace,
        "SCHEDULER_FLOW_ID": str(context.flow_id),
        "SCHEDULER_SCHEDULED_AT": context.scheduled_at.isoformat(),
        MARK: run_mark(context),
    }
    if context.interval_from is not None and context.interval_to is not None:
        variables["SCHEDULER_INTERVAL_FROM"] = context.interval_from.isoformat()
        variables["SCHEDULER_INTERVAL_TO"] = context.interval_to.isoformat()
    if context.shard_index is not None and context.shard_total is not None:
        variables["SCHEDULER_SHARD_INDEX"] = str(context.shard_index)
        variables["SCHEDULER_SHARD_TOTAL"] = str(context.shard_total)
    if context.item is not None:
        item = msgspec.json.encode(context.item)
        # No program can be started with a larger variable; one that needs such an item gets it as a parameter.
        if len(item) <= _ITEM_BYTES_MAX:
            variables["SCHEDULER_ITEM"] = item.decode()
    if context.trace_context:
        variables["TRACEPARENT"] = context.trace_context
    return variables


def job_environment(
    base: Mapping[str, str], context: RunContext, extra: Mapping[str, str] | None = None, user: JobUser | None = None
) -> dict[str, str]:
    """Everything a job's process gets beside `base`; `extra` cannot hide which run it is. HOME is that of its user."""
    if user is not None:
        base = {**base, "HOME": user.home, "USER": user.name, "LOGNAME": user.name, "SHELL": user.shell}
    return {**base, **(extra or {}), **run_environment(context)}


def run_mark(context: RunContext) -> str:
    """The value of MARK in all processes of one attempt; the same for no other."""
    return f"{supervision.TOKEN}-{context.run_id}-{context.attempt}."


def kill_run(context: RunContext) -> int:
    """Kill whatever still carries the mark of this attempt, such as what has left its group, and see it gone."""
    return kill_marked(run_mark(context), _PATIENCE_SECONDS)


def kill_all_runs() -> None:
    """Kill whatever carries the mark of any run of this process."""
    supervision.kill_all_marked()


def hold_guard() -> None:
    """See to it that the jobs of this process die when it dies, even of SIGKILL; balance with `release_guard`."""
    supervision.hold()


def release_guard() -> None:
    """The caller starts no more jobs; the last one ends the supervisor, which kills what its jobs may have left."""
    supervision.release()
