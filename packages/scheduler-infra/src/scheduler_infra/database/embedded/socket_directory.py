"""A directory short enough for a socket's path."""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from scheduler_core.errors import ConfigError
from scheduler_infra.database.embedded.cluster_layout import PORT
from scheduler_infra.database.embedded.server_account import ServerAccount

PATH_BYTES_MAX = 107 if sys.platform == "linux" else 103

_PREFIX = "scheduler-pg-"
_SOCKET = f".s.PGSQL.{PORT}"


def prepare_socket_dir(run_dir: Path, account: ServerAccount, environ: Mapping[str, str] = os.environ) -> Path:
    """A directory for the server's socket that anybody may pass and only the account may write to.

    `run_dir` when its path is short enough, else a new private one in the first place that takes it. Who reaches the
    socket still needs the password.
    """
    if _fits(run_dir):
        run_dir.mkdir(exist_ok=True)
        account.own(run_dir, 0o711)
        return run_dir
    for place in _short_places(account, environ):
        try:
            made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        except OSError:
            continue
        account.own(made, 0o711)
        if _fits(made):
            return made
        made.rmdir()
    raise ConfigError(
        f"The socket path below {run_dir} would be longer than {PATH_BYTES_MAX} bytes, and no directory could be made "
        "in /tmp instead. Set SCHEDULER_STATE_DIR to a shorter path, or make /tmp writable."
    )


def remove_socket_dir(socket_dir: Path, run_dir: Path) -> None:
    """Remove a directory that `prepare_socket_dir` made outside of `run_dir`; anything else is left alone."""
    if socket_dir != run_dir and socket_dir.name.startswith(_PREFIX) and not socket_dir.is_symlink():
        shutil.rmtree(socket_dir, ignore_errors=True)


def remove_stale_socket(run_dir: Path) -> None:
    """Remove the socket and its lock file that a killed server left; the start lock must be held.

    PostgreSQL looks into the lock file for a pid as well, and is misled by its next owner in the same way.
    """
    for name in (_SOCKET, f"{_SOCKET}.lock"):
        (run_dir / name).unlink(missing_ok=True)


def _fits(directory: Path) -> bool:
    # libpq takes a comma for the end of a host, and PostgreSQL's list has no escape for a quote.
    path = str(directory / _SOCKET)
    return len(os.fsencode(path)) <= PATH_BYTES_MAX and not set(path) & set(',"\n')


def _short_places(account: ServerAccount, environ: Mapping[str, str]) -> list[str]:
    runtime_dir = environ.get("XDG_RUNTIME_DIR") if account.is_own else "/run"
    return [place for place in (runtime_dir, "/tmp") if place]  # noqa: S108  (mkdtemp makes an unguessable name)
