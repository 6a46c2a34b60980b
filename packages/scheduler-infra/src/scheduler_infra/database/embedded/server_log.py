"""PostgreSQL's own log: kept small, and quoted when the server fails."""

import contextlib
import os
from collections import deque
from pathlib import Path

FILES_MAX = 10
"""Each is up to 10 MB: the server begins a new one then."""

_TAIL_BYTES = 8192


def prune_log(log_dir: Path, files_max: int = FILES_MAX) -> None:
    """Remove all but the newest files; those that cannot be removed now are removed next time."""
    for old in _files(log_dir)[:-files_max]:
        with contextlib.suppress(OSError):
            old.unlink()


def last_lines(start_log: Path, log_dir: Path, lines_max: int = 10) -> str:
    """The end of what the server said since it was started, oldest line first."""
    lines: deque[str] = deque(maxlen=lines_max)
    newest = [file for file in _files(log_dir)[-1:] if _modified(file) >= _modified(start_log)]
    for file in (start_log, *newest):
        lines.extend(line for line in _tail(file) if not _is_noise(line))
    return "\n".join(lines)


def _files(log_dir: Path) -> list[Path]:
    # The names hold the time, so their order is the order of age.
    return sorted(log_dir.glob("postgresql-*.log"))


def _modified(path: Path) -> int:
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return 0


def _tail(path: Path) -> list[str]:
    try:
        # The directory belongs to the account that runs the server: root follows no link of its making.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    with os.fdopen(handle, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        return file.read().decode(errors="replace").splitlines()


def _is_noise(line: str) -> bool:
    return not line.strip() or "redirecting log output" in line or "Future log output will appear" in line
