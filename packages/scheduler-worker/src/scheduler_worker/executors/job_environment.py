"""What a job's environment holds, and by which mark its processes are known."""

import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping

import msgspec

from scheduler_core.interfaces import RunContext
from scheduler_worker.executors import process_guard
from scheduler_worker.executors.process_guard import MARK

_OWN_PREFIX = "SCHEDULER_"
# What libpq reads: with it a job could reach the worker's own database.
_LIBPQ = frozenset({"PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE", "PGSSLKEY", "PGSSLCERT"})

_PATIENCE_SECONDS = 2.0
_ITEM_BYTES_MAX = 65_536

_token = secrets.token_hex(8)
_guard: subprocess.Popen[bytes] | None = None
_guard_users = 0
_guard_lock = threading.Lock()


def base_environment() -> dict[str, str]:
    """This process's environment without its settings and secrets, marked as the worker's."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(_OWN_PREFIX) and name not in _LIBPQ
    }
    return {**kept, MARK: f"{_token}-"}


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


def job_environment(context: RunContext, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Everything a job's process gets; `extra` cannot hide which run it is."""
    return {**base_environment(), **(extra or {}), **run_environment(context)}


def run_mark(context: RunContext) -> str:
    """The value of MARK in all processes of one attempt; the same for no other."""
    return f"{_token}-{context.run_id}-{context.attempt}."


def kill_run(context: RunContext) -> int:
    """Kill whatever still carries the mark of this attempt, such as what has left its group, and see it gone."""
    return process_guard.kill_marked(run_mark(context), _PATIENCE_SECONDS)


def kill_all_runs() -> int:
    """Kill whatever carries the mark of any run of this process."""
    return process_guard.kill_marked(f"{_token}-")


def hold_guard() -> None:
    """See to it that the jobs of this process die when it dies, even of SIGKILL; balance with `release_guard`."""
    global _guard, _guard_users
    with _guard_lock:
        _guard_users += 1
        if _guard is None or _guard.poll() is not None:
            _guard = subprocess.Popen(
                # -I -S: nothing of the environment or of site-packages is loaded.
                [sys.executable, "-I", "-S", process_guard.__file__, f"{_token}-"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )


def release_guard() -> None:
    """The caller starts no more jobs; the last one ends the guard, which kills what its jobs may have left."""
    global _guard, _guard_users
    with _guard_lock:
        _guard_users -= 1
        if _guard_users == 0 and _guard is not None:
            if _guard.stdin is not None:
                _guard.stdin.close()
            _guard.wait()
            _guard = None
