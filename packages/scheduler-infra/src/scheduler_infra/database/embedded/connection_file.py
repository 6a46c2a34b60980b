"""How other processes find the embedded PostgreSQL: `{state_dir}/postgresql/connection.json`, mode 0600."""

import os
import tempfile
from pathlib import Path

import msgspec

from scheduler_core.errors import StoreUnavailableError
from scheduler_infra.database.embedded.process_identity import ProcessIdentity


class ConnectionFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is needed to connect to a running server, and to know whether it still is the one that wrote this."""

    url: str
    postmaster: ProcessIdentity
    data_dir: str
    socket_dir: str
    version: str

    def write(self, path: Path) -> None:
        """Replace the file in one step; at no time is it readable for others."""
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    @classmethod
    def read(cls, path: Path) -> "ConnectionFile | None":
        """The file's content; None when there is none or it is damaged."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
            return None


def connection_file_path(state_dir: Path) -> Path:
    """Where the connection file of this state directory is."""
    return state_dir / "postgresql" / "connection.json"


def running_connection(state_dir: Path) -> ConnectionFile:
    """How to connect to the embedded PostgreSQL of this state directory.

    Raises StoreUnavailableError when none is running or this user may not read the file.
    """
    path = connection_file_path(state_dir)
    try:
        found = ConnectionFile.read(path)
    except PermissionError as error:
        raise StoreUnavailableError(
            f"{path} may not be read by uid {os.geteuid()}: the embedded PostgreSQL belongs to the user who started "
            "it. Run this command as that user, or set database.url to the address you were given."
        ) from error
    if found is None or not found.postmaster.is_alive():
        raise StoreUnavailableError(
            f"No embedded PostgreSQL is running for the state directory {state_dir}. Start it with `scheduler up`, or "
            "set database.url to the PostgreSQL to use."
        )
    return found
