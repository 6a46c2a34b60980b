"""What a worker that crashed together with its supervisor has left on this host."""

import logging
import os
import socket
from pathlib import Path

import msgspec

from scheduler_core.runtime.process_identity import boot_id_here, is_dead
from scheduler_worker.containment.control_groups import end_groups, path_of
from scheduler_worker.containment.marked_processes import kill_all_of
from scheduler_worker.containment.run_directories import OWNER_FILE, Owner
from scheduler_worker.containment.tree_removal import remove_tree

logger = logging.getLogger("scheduler.worker")

_PATIENCE_SECONDS = 5.0


def end_leftovers(base: Path) -> int:
    """Kill the jobs and remove the directories of dead workers of this host; returns how many workers those were.

    A worker is dead when no process of this boot has its id and its start. Those of other hosts that share the
    directory are left alone.
    """
    count = 0
    for path in sorted(base.glob("*")) if base.is_dir() else []:
        try:
            if any(each.lstat().st_uid != os.geteuid() for each in (path, path / OWNER_FILE)):
                # What others say must not decide what this user kills and removes.
                continue
            owner = msgspec.json.decode((path / OWNER_FILE).read_bytes(), type=Owner)
        except (OSError, msgspec.MsgspecError):
            continue
        if not _is_over(owner):
            continue
        killed = 0
        if owner.process.boot_id == boot_id_here():
            killed = _kill(owner)
        remove_tree(str(path))
        count += 1
        logger.warning("leftovers of a dead worker ended", extra={"pid": owner.process.pid, "processes": killed})
    return count


def _is_over(owner: Owner) -> bool:
    process = owner.process
    if process.hostname != socket.gethostname():
        return False
    if process.boot_id != boot_id_here():
        # Another boot, or a container whose process ids mean something else.
        return process.boot_id.partition("/")[0] != boot_id_here().partition("/")[0]
    return is_dead(process.hostname, process.boot_id, process.pid, process.started_at)


def _kill(owner: Owner) -> int:
    # It may not have come to write down where its groups are.
    path = owner.group_path or path_of(owner.token)
    killed = end_groups(path) if path.endswith(f"/scheduler-{owner.token}") else 0
    return killed + kill_all_of(owner.token, _PATIENCE_SECONDS)
