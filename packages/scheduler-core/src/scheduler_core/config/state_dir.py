"""Where this installation keeps embedded data, sockets and credentials."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from scheduler_core.errors import ConfigError

ROOT_STATE_DIR = Path("/var/lib/scheduler")


def find_state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The absolute path of the state directory, which may not exist yet.

    SCHEDULER_STATE_DIR, else /var/lib/scheduler for root, else the platform's place for a user's state. Reads no
    configuration, so that client commands can call it cheaply.
    """
    if named := environ.get("SCHEDULER_STATE_DIR"):
        return Path(named).expanduser().absolute()
    if os.geteuid() == 0:
        return ROOT_STATE_DIR
    import platformdirs

    return Path(platformdirs.user_state_dir("scheduler", appauthor=False))


def prepare_state_dir(path: Path) -> None:
    """Create the state directory if it is missing: mode 0700, for root 0711.

    An existing directory keeps its mode. Raises ConfigError with the remedy when it cannot be made or written to.
    """
    # Root's embedded PostgreSQL runs under another uid, which has to pass through without being able to list.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.mkdir(mode=mode)
        except FileExistsError:
            if not path.is_dir():
                raise
        else:
            path.chmod(mode)
    except OSError as error:
        raise ConfigError(
            f"The state directory {path} cannot be created ({error.strerror or error}). "
            "Set SCHEDULER_STATE_DIR to a directory that you may write to."
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigError(
            f"The state directory {path} is not writable for uid {os.geteuid()}. "
            "Give it to that user, or set SCHEDULER_STATE_DIR to another directory."
        )


def untraversable_parent(path: Path) -> Path | None:
    """The topmost existing directory on the way to `path` (itself included) that other users cannot pass."""
    for directory in [*reversed(path.absolute().parents), path.absolute()]:
        try:
            mode = directory.stat().st_mode
        except OSError:
            return None
        if not mode & stat.S_IXOTH:
            return directory
    return None
