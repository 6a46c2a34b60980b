"""Processes that are known by a mark in their environment, wherever they have gone."""

import os
import signal
import time
from collections.abc import Callable

from scheduler_worker.containment import run_number
from scheduler_worker.containment.process_tree import environment_of

MARK = "SCHEDULER_RUN_TOKEN"
_PAUSE_SECONDS = 0.005


def kill_marked(value_prefix: str, patience_seconds: float = 0.0) -> int:
    """Kill every process whose environment says MARK=value_prefix…, and its process group; returns how many.

    Looks again until none is new, because a process may have started another one meanwhile, and with patience until
    all of them are really gone. This process and its group are spared. Finds nothing where there is no /proc.
    """
    wanted = f"{MARK}={value_prefix}".encode()
    return _kill(lambda pid: _has(environment_of(pid), wanted), patience_seconds)


def kill_all_of(token: str, patience_seconds: float) -> int:
    """As `kill_marked`, for all runs of the worker with this token; also finds what has cleared its environment."""
    wanted = f"{MARK}={token}-".encode()
    return _kill(lambda pid: run_number.is_of(token, pid) or _has(environment_of(pid), wanted), patience_seconds)


def _kill(is_meant: Callable[[int], bool], patience_seconds: float) -> int:
    own, own_group = os.getpid(), os.getpgrp()
    deadline = time.monotonic() + patience_seconds
    killed: set[int] = set()
    while found := {pid for pid in _living() if pid != own and is_meant(pid)}:
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


def _living() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _has(environment: bytes, wanted: bytes) -> bool:
    return environment.startswith(wanted) or b"\0" + wanted in environment
