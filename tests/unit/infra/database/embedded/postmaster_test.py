"""Telling a live server from the traces of a dead one."""

import os
import subprocess
from pathlib import Path

import pytest

from scheduler_infra.database.embedded.postmaster import find_postmaster, forget_reused_pid


def write_pid_file(data_dir: Path, pid: int) -> Path:
    """The postmaster.pid of a server with this pid."""
    path = data_dir / "postmaster.pid"
    path.write_text(f"{pid}\n{data_dir}\n1790000000\n5432\n{data_dir}\n\n  1 2\nready   \n")
    return path


def dead_pid() -> int:
    """The pid of a process that is gone."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def test_find_postmaster_no_file(tmp_path: Path) -> None:
    """Without postmaster.pid no server runs, and there is nothing to clear."""
    assert find_postmaster(tmp_path) is None
    assert not forget_reused_pid(tmp_path)


def test_find_postmaster_reused_pid(tmp_path: Path) -> None:
    """A pid that another program got is no server, and the file that names it is removed."""
    path = write_pid_file(tmp_path, os.getpid())
    assert find_postmaster(tmp_path) is None
    assert forget_reused_pid(tmp_path)
    assert not path.exists()


def test_find_postmaster_pid_of_another_cluster(tmp_path: Path) -> None:
    """A `postgres` that serves other data is not the server of this data."""
    other = tmp_path / "other"
    other.mkdir()
    fake = tmp_path / "postgres"
    fake.symlink_to("/bin/sleep")
    with subprocess.Popen([fake, "60"], cwd=other) as process:
        try:
            write_pid_file(tmp_path, process.pid)
            assert find_postmaster(tmp_path) is None
        finally:
            process.kill()


def test_find_postmaster_same_directory(tmp_path: Path) -> None:
    """A `postgres` at work in this very directory is found, with its socket."""
    fake = tmp_path / "postgres"
    fake.symlink_to("/bin/sleep")
    with subprocess.Popen([fake, "60"], cwd=tmp_path) as process:
        try:
            write_pid_file(tmp_path, process.pid)
            found = find_postmaster(tmp_path)
            assert found is not None
            assert (found.identity.pid, found.started_at, found.socket_dir) == (process.pid, 1790000000, tmp_path)
        finally:
            process.kill()


def test_forget_reused_pid_dead(tmp_path: Path) -> None:
    """The file of a server that is gone is left to PostgreSQL, which checks the shared memory it names."""
    path = write_pid_file(tmp_path, dead_pid())
    assert find_postmaster(tmp_path) is None
    assert not forget_reused_pid(tmp_path)
    assert path.exists()


def test_forget_reused_pid_zombie(tmp_path: Path) -> None:
    """A killed server that nobody waits for does not run, and its file is removed: PostgreSQL would believe it."""
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        path = write_pid_file(tmp_path, process.pid)
        assert find_postmaster(tmp_path) is None
        assert forget_reused_pid(tmp_path)
    assert not path.exists()


@pytest.mark.parametrize("content", ["", "x\ny\n"])
def test_find_postmaster_half_written(tmp_path: Path, content: str) -> None:
    """A file that was cut off does not stop the next start."""
    path = tmp_path / "postmaster.pid"
    path.write_text(content)
    assert find_postmaster(tmp_path) is None
    forget_reused_pid(tmp_path)
    assert not path.exists()
