"""The end of jobs whose worker is gone: a tiny process that outlives the worker by a moment.

Run as a program it reads its standard input, a pipe that only the worker holds. When that ends, however the worker
ended, it kills every process whose environment has this worker's mark, and their groups. Imports nothing beyond the
smallest modules, so that it starts in milliseconds and stays small.
"""

import os
import signal
import sys
import time

MARK = "SCHEDULER_RUN_TOKEN"
_PAUSE_SECONDS = 0.005
_PATIENCE_SECONDS = 5.0


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
    found = []
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - pathlib would double this program's memory
    except OSError:
        return []
    for name in names:
        if name.isdigit():
            try:
                with open(f"/proc/{name}/environ", "rb") as file:  # noqa: PTH123
                    environment = file.read()
            except OSError:
                continue
            if environment.startswith(wanted) or b"\0" + wanted in environment:
                found.append(int(name))
    return found


def main() -> None:
    """Wait for the end of the worker, then end its jobs."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 4096):
        pass
    kill_marked(sys.argv[1], _PATIENCE_SECONDS)


if __name__ == "__main__":
    main()
