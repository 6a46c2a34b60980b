"""Whether a server is at work in a data directory already."""

import os
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from scheduler_infra.database.embedded.process_identity import ProcessIdentity, command_line


class Postmaster(NamedTuple):
    """What a running server wrote about itself into postmaster.pid; the later lines come while it starts."""

    identity: ProcessIdentity
    started_at: int
    socket_dir: Path | None


def find_postmaster(data_dir: Path) -> Postmaster | None:
    """The server that runs on this data directory, answering or not; None when postmaster.pid is old or absent.

    A pid proves nothing: the process must also be a `postgres` that was started for this very directory.
    """
    try:
        lines = (data_dir / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        pid, started_at = int(lines[0]), int(lines[2])
    except (OSError, ValueError, IndexError):
        return None
    identity = ProcessIdentity.of(pid)
    if identity is None or not is_postmaster(identity, data_dir):
        return None
    socket_dir = Path(lines[4]) if len(lines) > 4 and lines[4] else None
    return Postmaster(identity, started_at, socket_dir)


def is_postmaster(identity: ProcessIdentity, data_dir: Path) -> bool:
    """Whether this process is the server of this data directory."""
    words = command_line(identity.pid)
    # Its backends have other titles, such as "postgres: scheduler: checkpointer".
    if not words or Path(words[0]).name != "postgres" or not identity.is_alive():
        return False
    try:
        return Path(f"/proc/{identity.pid}/cwd").samefile(data_dir)
    except OSError:  # not Linux, or a container whose root may not look into the processes of others
        return any(flag == "-D" and value == str(data_dir) for flag, value in pairwise(words[1:]))


def forget_reused_pid(data_dir: Path) -> bool:
    """Remove a postmaster.pid whose pid is another program's, or a zombie's; the start lock must be held.

    PostgreSQL clears the file by itself when nothing has the pid, but refuses to start for ever when a process of the
    same user has it, or a server that was killed and that a container's first process never waits for. The shared
    memory it finds by the directory's inode still protects against backends that outlived their server.
    """
    path = data_dir / "postmaster.pid"
    try:
        pid = int(path.read_text(encoding="utf-8", errors="replace").splitlines()[0])
        os.kill(pid, 0)
    except (FileNotFoundError, ProcessLookupError):
        return False
    except PermissionError:
        pass  # somebody has it
    except (ValueError, IndexError, OverflowError):
        pass  # cut off when the machine went down; PostgreSQL would refuse to guess
    path.unlink(missing_ok=True)
    return True
