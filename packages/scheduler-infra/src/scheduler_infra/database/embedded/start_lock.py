"""Who runs the server of a state directory."""

import fcntl
import os
from pathlib import Path


class StartLock:
    """Held by the one process that starts and stops the server; the kernel frees it when that process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock if nobody holds it, without waiting; raises PermissionError on somebody else's file."""
        if self._handle is not None:
            return True
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except BaseException:
            os.close(handle)
            raise
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._handle = handle
        return True

    def release(self) -> None:
        """Give the lock back; may be called at any time."""
        if self._handle is not None:
            # The file stays: removing it would let two processes lock two files of the same name.
            os.close(self._handle)
            self._handle = None

    def holder(self) -> str:
        """The pid that the holder wrote, for messages; "unknown" when it cannot be read."""
        try:
            return self._path.read_text(encoding="ascii").strip() or "unknown"
        except (OSError, UnicodeDecodeError):
            return "unknown"
