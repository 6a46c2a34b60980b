"""The one supervisor of this process, which all its executors share."""

import asyncio
import secrets
import threading
import time
from pathlib import Path

from scheduler_worker.containment.marked_processes import kill_all_of
from scheduler_worker.containment.run_directories import RunDirectories
from scheduler_worker.containment.supervisor_process import SupervisorError, SupervisorProcess
from scheduler_worker.worker_error import LeaseEndedError

TOKEN = secrets.token_hex(8)
"""With which the mark of every process begins that belongs to this worker."""

_PATIENCE_SECONDS = 2.0

_lock = threading.Lock()
_present: SupervisorProcess | None = None
_deadline: float | None = None
_users = 0
uses_groups = True
directories = RunDirectories(TOKEN)


def configure(base: Path | None = None, *, uses_control_groups: bool = True) -> None:
    """Where the directories of runs are, and whether they get control groups; before the first program is started."""
    global uses_groups
    uses_groups = uses_control_groups
    if base is not None:
        directories.base = base


def hold() -> None:
    """The caller will start programs; balance with `release`."""
    global _users
    with _lock:
        _users += 1


def release() -> None:
    """The caller starts none any more; the last one ends the supervisor with whatever is left. Blocks meanwhile."""
    global _present, _users, _deadline
    with _lock:
        _users -= 1
        if _users > 0:
            return
        present, _present, _deadline = _present, None, None
    if present is not None:
        present.close()
    directories.remove()


def supervisor() -> SupervisorProcess:
    """The one that serves the running loop, started if there is none; raises SupervisorError."""
    global _present
    with _lock:
        if _present is None or not _present.is_usable or _present.loop is not asyncio.get_running_loop():
            if _present is not None and _present.is_usable:
                # Of a loop that is over.
                _present.close()
            try:
                _present = SupervisorProcess.launch(
                    TOKEN,
                    str(directories.own),
                    uses_groups=uses_groups,
                    on_groups=directories.note,
                    on_lost=kill_all_marked,
                )
            except OSError as error:
                raise SupervisorError(error.strerror or str(error)) from error
            if _deadline is not None:
                _present.extend(_deadline)
        return _present


def lease_extended(deadline: float) -> None:
    """Whatever this process has started is killed at this monotonic second unless a later one is told by then.

    The supervisor does that also while this process stands still. May be called from any thread.
    """
    global _deadline
    _deadline = deadline
    present = _present
    if present is not None:
        present.extend(deadline)


def require_lease() -> None:
    """Return if a job may begin at this moment; raises LeaseEndedError when all jobs are to be dead by now.

    By the clock: a process that has just stood still learns of the end of its lease later than its coroutines go on.
    """
    if _deadline is not None and time.monotonic() >= _deadline:
        raise LeaseEndedError


def kill_all_marked() -> None:
    """Kill whatever carries the mark of this process, without the supervisor's help."""
    kill_all_of(TOKEN, _PATIENCE_SECONDS)
