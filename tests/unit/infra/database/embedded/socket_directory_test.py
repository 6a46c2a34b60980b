"""Socket paths that fit."""

import os
from pathlib import Path

import pytest

from scheduler_infra.database.embedded.server_account import ServerAccount
from scheduler_infra.database.embedded.socket_directory import (
    PATH_BYTES_MAX,
    prepare_socket_dir,
    remove_socket_dir,
    remove_stale_socket,
)

OWN = ServerAccount(os.geteuid(), os.getegid(), is_own=True)


def test_prepare_socket_dir_short(tmp_path: Path) -> None:
    """A short enough directory is used itself, open for passing only."""
    run_dir = Path(os.path.relpath(tmp_path / "run"))
    assert prepare_socket_dir(run_dir, OWN) == run_dir
    assert run_dir.stat().st_mode & 0o777 == 0o711


@pytest.mark.parametrize("name", ["x" * 120, "ü" * 60, 'quo"te', "com,ma"])
def test_prepare_socket_dir_unusable(tmp_path: Path, name: str) -> None:
    """A path too long, in bytes, or with a character that has another meaning there is replaced by a private one."""
    run_dir = tmp_path / name
    chosen = prepare_socket_dir(run_dir, OWN, {})
    try:
        assert len(os.fsencode(chosen / ".s.PGSQL.5432")) <= PATH_BYTES_MAX
        assert chosen != run_dir
        assert chosen.stat().st_mode & 0o777 == 0o711
    finally:
        remove_socket_dir(chosen, run_dir)
    assert not chosen.exists()


def test_remove_stale_socket(tmp_path: Path) -> None:
    """What a killed server left of its socket is removed, if anything, and nothing else."""
    for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock", "other"):
        (tmp_path / name).touch()
    remove_stale_socket(tmp_path)
    remove_stale_socket(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_remove_socket_dir_foreign(tmp_path: Path) -> None:
    """Nothing is removed that was not made for a socket."""
    (tmp_path / "mine").mkdir()
    remove_socket_dir(tmp_path / "mine", tmp_path / "run")
    assert (tmp_path / "mine").is_dir()
