"""The server's configuration file."""

from pathlib import Path

import pytest

from scheduler_infra.database import DatabaseConfig
from scheduler_infra.database.embedded.server_settings import available_memory_bytes, settings_text

GB = 1024**3


def lines(memory_bytes: int = 8 * GB, socket_dir: str = "/run/x") -> list[str]:
    """The lines of the file."""
    return settings_text(Path(socket_dir), Path("/var/log/x"), memory_bytes).splitlines()


def test_settings_text_keeps_promises() -> None:
    """Committed means on disk, nothing listens on the network, and passwords are not sent in clear."""
    assert {"fsync = 'on'", "synchronous_commit = 'on'", "full_page_writes = 'on'"} <= set(lines())
    assert {"listen_addresses = ''", "password_encryption = 'scram-sha-256'"} <= set(lines())


def test_settings_text_has_room_for_a_hundred_workers() -> None:
    """Three connections for each of a hundred workers, beside those of the API and of some dispatchers."""
    (setting,) = [line for line in lines() if line.startswith("max_connections = ")]
    assert int(setting.split("'")[1]) >= 3 * 100 + 10 * DatabaseConfig().max_connections


@pytest.mark.parametrize(("memory_bytes", "buffers"), [(64 * GB, 256), (512 * 1024**2, 128), (64 * 1024**2, 32)])
def test_settings_text_fits_memory(memory_bytes: int, buffers: int) -> None:
    """Buffers take at most a quarter of a small machine and 256 MB of a large one."""
    assert f"shared_buffers = '{buffers}MB'" in lines(memory_bytes)


def test_settings_text_quotes_paths() -> None:
    """A quote in a path stays a character of the path."""
    assert "unix_socket_directories = '\"/o''clock\"'" in lines(socket_dir="/o'clock")


def test_available_memory_bytes_positive() -> None:
    """The machine has some memory."""
    assert available_memory_bytes() > 16 * 1024**2
