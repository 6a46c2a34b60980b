"""How other processes find the server."""

import os
from pathlib import Path

import msgspec
import pytest

from scheduler_core.errors import StoreUnavailableError
from scheduler_infra.database.embedded.connection_file import (
    ConnectionFile,
    connection_file_path,
    running_connection,
)
from scheduler_infra.database.embedded.process_identity import ProcessIdentity


def write(state_dir: Path, postmaster: ProcessIdentity) -> ConnectionFile:
    """A connection file that names this process as the server."""
    path = connection_file_path(state_dir)
    path.parent.mkdir()
    content = ConnectionFile(
        url="postgresql://x", postmaster=postmaster, data_dir="/d", socket_dir="/s", version="18.6"
    )
    content.write(path)
    return content


def own() -> ProcessIdentity:
    """This process."""
    identity = ProcessIdentity.of(os.getpid())
    assert identity is not None
    return identity


def test_running_connection_round_trip(tmp_path: Path) -> None:
    """What was written is read, and nobody else may read it."""
    written = write(tmp_path, own())
    assert running_connection(tmp_path) == written
    assert connection_file_path(tmp_path).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in connection_file_path(tmp_path).parent.iterdir()] == ["connection.json"]


def test_running_connection_server_gone(tmp_path: Path) -> None:
    """The file of a server that is gone is not believed, even when its pid is in use again."""
    write(tmp_path, msgspec.structs.replace(own(), started="before"))
    with pytest.raises(StoreUnavailableError, match="scheduler up"):
        running_connection(tmp_path)


@pytest.mark.parametrize("content", ["", "{", '{"url": 5}'])
def test_running_connection_damaged(tmp_path: Path, content: str) -> None:
    """A damaged file counts as none."""
    connection_file_path(tmp_path).parent.mkdir()
    connection_file_path(tmp_path).write_text(content)
    with pytest.raises(StoreUnavailableError, match=str(tmp_path)):
        running_connection(tmp_path)
