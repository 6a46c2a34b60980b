"""Applies a task file as soon as the `scheduler up` of another process is ready: apply_when_ready.py PID FILE.

Leaves quietly when that process ends first: it has then told the reason itself.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from scheduler_core.config.state_dir import find_state_dir

READY_SECONDS_MAX = 300.0
_LOOK_SECONDS = 0.2


def main(pid: int, file: str) -> int:
    """Wait for the server that the state directory's credentials name, then apply the file."""
    credentials = find_state_dir() / "credentials.json"
    deadline = time.monotonic() + READY_SECONDS_MAX
    while _is_alive(pid) and time.monotonic() < deadline:
        if _is_ready(credentials):
            scheduler = Path(sys.executable).with_name("scheduler")
            return subprocess.run([scheduler, "task", "apply", file], stdin=subprocess.DEVNULL, check=False).returncode
        time.sleep(_LOOK_SECONDS)
    return 1


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _is_ready(credentials: Path) -> bool:
    try:
        url = json.loads(credentials.read_text())["url"]
        with urllib.request.urlopen(f"{url}/health/ready", timeout=2) as answer:  # noqa: S310  our own server
            return bool(answer.status == 200)
    except (OSError, ValueError, KeyError, TypeError):
        return False


if __name__ == "__main__":
    try:
        sys.exit(main(int(sys.argv[1]), sys.argv[2]))
    except KeyboardInterrupt:
        sys.exit(130)
