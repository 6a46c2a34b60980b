"""The directories of a process's runs are known to be its own."""

import errno
from pathlib import Path

import msgspec
import pytest

from scheduler_worker.containment.run_directories import OWNER_FILE, Owner, RunDirectories


@pytest.fixture
def directories(tmp_path: Path) -> RunDirectories:
    """Those of a process whose first run is still to come."""
    directories = RunDirectories("token")
    directories.base = tmp_path / "runs"
    return directories


def owner_of(directories: RunDirectories) -> Owner:
    """What is written down of them."""
    return msgspec.json.decode((directories.own / OWNER_FILE).read_bytes(), type=Owner)


def fill_disk(patched: pytest.MonkeyPatch) -> None:
    """There is room for directories, and none for what is written."""

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    patched.setattr(Path, "write_bytes", refuse)


def test_worker_unit_make_is_refused_until_the_owner_is_written(
    directories: RunDirectories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full at the first start leaves no directory without an owner, also when there is room again."""
    with monkeypatch.context() as patched:
        fill_disk(patched)
        for _ in range(2):
            with pytest.raises(OSError, match="No space left"):
                directories.make("7-1")
    made = directories.make("7-1")

    made.close_report()
    assert owner_of(directories).token == "token"


def test_worker_unit_note_that_failed_is_made_good_with_the_next_run(
    directories: RunDirectories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the groups are is written down as soon as there is room, and again when the directory was removed."""
    with monkeypatch.context() as patched:
        fill_disk(patched)
        with pytest.raises(OSError, match="No space left"):
            directories.note("/groups")
    directories.make("7-1").close_report()
    first = owner_of(directories)
    for path in (directories.own / OWNER_FILE, directories.own / "7-1" / "report"):
        path.unlink()
    (directories.own / "7-1").rmdir()
    directories.own.rmdir()
    directories.make("8-1").close_report()

    assert [first.group_path, owner_of(directories).group_path] == ["/groups", "/groups"]
