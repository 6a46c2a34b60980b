"""Processes that are known by a mark in their environment, wherever they have gone."""

import os
import signal
import time

from scheduler_worker.containment.process_tree import environment_of

MARK = "SCHEDULER_RUN_TOKEN"
_PAUSE_SECONDS = 0.005


def kill_marked(value_prefix: str, patience_seconds: float = 0.0) -> int:
    """Kill every process whose environment says MARK=value_prefix…, and its process group; returns how many.

    Looks again until none is new, because a process may have started another one meanwhile, and with patience until
    all of them are really gone. This process and its group are spared. Finds nothing where there is no /proc.
    """
    wanted = f"{MARK}={value_prefix}".encode()
    own, own_group = os.getpid(), os.getpgrp()
    deadline = time.monotonic() + patience_seconds
    killed: set[int] = set()
    while found := {pid for pid in _marked(wanted) if pid != own}:
        for pid in found:
            try:
                group = os.getpgid(pid)
                if group not in (own_group, 0):
                    os.killpg(group, signal.SIGKILL)
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        if found <= killed:
            # They are dying, or not ours to kill.
            if time.monotonic() >= deadline:
                break
            time.sleep(_PAUSE_SECONDS)
        killed |= found
    return len(killed)


def _marked(wanted: bytes) -> list[int]:
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - as in process_tree
    except OSError:
        return []
    return [pid for pid in pids if _has(environment_of(pid), wanted)]


def _has(environment: bytes, wanted: bytes) -> bool:
    return environment.startswith(wanted) or b"\0" + wanted in environment
