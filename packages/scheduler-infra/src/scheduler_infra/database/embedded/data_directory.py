"""The data directory: made whole or not at all, and never of another major version."""

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from enum import Enum
from pathlib import Path

import structlog

from scheduler_core.errors import ComponentFailedError, ConfigError
from scheduler_infra.database.embedded.cluster_layout import USER, ClusterLayout
from scheduler_infra.database.embedded.postgresql_binaries import BIN_VARIABLE, PostgresqlBinaries
from scheduler_infra.database.embedded.server_account import RUN_AS, ServerAccount

_BUILDING = "data.building-"
_INITDB_SECONDS = 300.0

_log = structlog.stdlib.get_logger(__name__)


class ClusterState(Enum):
    """What a data directory holds."""

    ABSENT = "absent"
    HALF_WRITTEN = "half-written"
    COMPLETE = "complete"


def cluster_state(layout: ClusterLayout, binaries: PostgresqlBinaries) -> ClusterState:
    """What is there; changes nothing.

    Raises ConfigError for data that must not be touched: another major version's, or a cluster that once was complete
    and now lacks its vital files.
    """
    if not os.path.lexists(layout.data_dir):
        return ClusterState.ABSENT
    major = _major_of(layout.data_dir)
    if major is not None and major != str(binaries.major):
        raise ConfigError(_other_major(layout, major, binaries))
    is_whole = major is not None and (layout.data_dir / "global" / "pg_control").is_file()
    if is_whole and layout.complete_marker.exists():
        return ClusterState.COMPLETE
    if layout.complete_marker.exists():
        raise ConfigError(
            f"The data directory {layout.data_dir} is damaged: PG_VERSION or global/pg_control is missing, although a "
            "complete cluster was made there. Mount or restore what belongs there; to begin with an empty database "
            f"instead, move {layout.data_dir} away."
        )
    return ClusterState.HALF_WRITTEN


def check_owner(layout: ClusterLayout, account: ServerAccount) -> None:
    """Raise ConfigError when the data belongs to another account than the one that would run the server."""
    owner = layout.data_dir.stat().st_uid
    if owner != account.uid:
        raise ConfigError(
            f"The data directory {layout.data_dir} belongs to uid {owner}, but PostgreSQL would run as uid "
            f"{account.uid}. Start as the user who made it, or as root set {RUN_AS}={owner}."
        )


def create_cluster(layout: ClusterLayout, binaries: PostgresqlBinaries, account: ServerAccount) -> None:
    """Make a new, empty cluster with a new random password; a crash at any point leaves nothing half done behind.

    What an interrupted earlier attempt left is cleared; a directory of unknown making is moved aside, not removed.
    """
    layout.complete_marker.unlink(missing_ok=True)
    _remove_unfinished(layout)
    if os.path.lexists(layout.data_dir):
        _move_aside(layout.data_dir)
    building = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=layout.root))
    try:
        account.own(building, 0o700)
        password = new_password(layout)
        _run_initdb(building, binaries, account, password, layout)
        building.rename(layout.data_dir)
        # Only now: what has this marker is never cleared again.
        _write_durably(layout.complete_marker, f"{binaries.version}\n")
    finally:
        # Once more: the initdb of a start that was killed may have gone on writing while its folder was removed.
        _remove_unfinished(layout)


def _remove_unfinished(layout: ClusterLayout) -> None:
    for folder in layout.root.glob(f"{_BUILDING}*"):
        shutil.rmtree(folder, ignore_errors=True)


def new_password(layout: ClusterLayout) -> str:
    """Make and keep a random password, readable for this user only."""
    password = secrets.token_urlsafe(32)
    _write_durably(layout.password_file, password)
    return password


def read_password(layout: ClusterLayout) -> str | None:
    """The password that was kept; None when it was lost."""
    try:
        return layout.password_file.read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None


def reset_password(layout: ClusterLayout, binaries: PostgresqlBinaries, account: ServerAccount) -> str:
    """Give the cluster a new password while no server runs; for when the kept one was lost."""
    password = new_password(layout)
    done = subprocess.run(
        [binaries.program("postgres"), "--single", "-D", layout.data_dir, "-c", "logging_collector=off", "template1"],
        input=f"ALTER USER {USER} PASSWORD '{password}'\n",
        capture_output=True,
        text=True,
        cwd="/",
        **account.popen_options,
    )
    if done.returncode != 0:
        layout.password_file.unlink(missing_ok=True)
        raise ComponentFailedError("postgresql", f"its lost password could not be replaced: {_end_of(done.stderr)}")
    return password


def _run_initdb(
    building: Path, binaries: PostgresqlBinaries, account: ServerAccount, password: str, layout: ClusterLayout
) -> None:
    handle, name = tempfile.mkstemp(prefix=".pwfile-", dir=layout.root)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(password + "\n")
        account.own(Path(name), 0o600)
        # The collation must not depend on who starts it where; the built-in one needs no system locale.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if binaries.major >= 17 else ["--no-locale"]
        command: list[str | Path] = [
            binaries.program("initdb"),
            "-D",
            building,
            f"--username={USER}",
            "--auth=scram-sha-256",
        ]
        command += [f"--pwfile={name}", "--encoding=UTF8", *locale]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd="/", timeout=_INITDB_SECONDS, **account.popen_options
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ComponentFailedError("postgresql", f"no data directory could be made in {building}: {error}") from error
    finally:
        Path(name).unlink(missing_ok=True)
    if done.returncode != 0:
        raise ComponentFailedError(
            "postgresql",
            f"no data directory could be made in {building} (initdb ended with {done.returncode}): "
            f"{_end_of(done.stderr or done.stdout)}",
        )


def _major_of(data_dir: Path) -> str | None:
    try:
        return (data_dir / "PG_VERSION").read_text(encoding="ascii", errors="replace").strip() or None
    except (FileNotFoundError, NotADirectoryError):
        return None


def _move_aside(data_dir: Path) -> None:
    if data_dir.is_dir() and not data_dir.is_symlink():
        with contextlib.suppress(OSError):
            data_dir.rmdir()  # an empty one is not worth keeping
            return
    aside = Path(tempfile.mkdtemp(prefix="data.incomplete-", dir=data_dir.parent)) / "data"
    data_dir.rename(aside)
    _log.warning("unfinished data directory moved aside", moved_to=str(aside), remedy="remove it if it is not needed")


def _other_major(layout: ClusterLayout, major: str, binaries: PostgresqlBinaries) -> str:
    old = f"{BIN_VARIABLE}=/usr/lib/postgresql/{major}/bin"
    return (
        f"The data directory {layout.data_dir} was made by PostgreSQL {major}, and {binaries.origin} is PostgreSQL "
        f"{binaries.version}, which cannot read it; nothing was changed. To stay with {major}, set {old} (the folder "
        f"of its programs). To upgrade: start it once more with `{old} scheduler up --only postgresql`, save all with "
        f'`pg_dump --file=scheduler.sql URL` (URL is "url" in {layout.connection_file}), stop it, move '
        f"{layout.data_dir} away, start with `scheduler up --only postgresql`, and load with "
        "`psql --file=scheduler.sql URL` after `DROP SCHEMA scheduler CASCADE`."
    )


def _write_durably(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _end_of(text: str) -> str:
    return " ".join(text.strip().splitlines()[-4:]) or "it said nothing"
