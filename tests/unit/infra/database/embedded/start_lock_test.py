"""The lock that decides who runs the server."""

import os
from pathlib import Path

from scheduler_infra.database.embedded.start_lock import StartLock


def test_acquire_second_refused(tmp_path: Path) -> None:
    """Only one holds the lock, the other can tell who, and gets it once it is released."""
    first, second = StartLock(tmp_path / "lock"), StartLock(tmp_path / "lock")
    assert first.acquire()
    assert first.acquire()
    assert not second.acquire()
    assert second.holder() == str(os.getpid())
    first.release()
    assert second.acquire()
    second.release()
    second.release()
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
