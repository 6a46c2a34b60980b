"""What a service manager is told."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler_core.runtime.service_manager import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A service manager's socket, and how NOTIFY_SOCKET names it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        is_path = request.param == "path"
        name = str(tmp_path / "notify") if is_path else f"@scheduler-{os.getpid()}-{tmp_path.name}"
        bound.bind(name if is_path else "\0" + name[1:])
        bound.settimeout(5)
        yield name, bound


def test_core_unit_service_manager_hears_each_state(listener: tuple[str, socket.socket]) -> None:
    """One datagram for each, in the manager's words; a status is one line."""
    name, bound = listener
    manager = ServiceManager(name)
    manager.tell_ready("one\nline")
    assert bound.recv(4096) == b"READY=1\nSTATUS=one line"
    with manager.reloading():
        first, second = bound.recv(4096).split(b"\n")
        assert first == b"RELOADING=1"
        assert second.startswith(b"MONOTONIC_USEC=")
        assert int(second.partition(b"=")[2]) > 0
    assert bound.recv(4096) == b"READY=1"
    manager.tell_alive()
    assert bound.recv(4096) == b"WATCHDOG=1"
    manager.tell_stopping()
    assert bound.recv(4096) == b"STOPPING=1\nSTATUS=Stopping"


def test_core_unit_service_manager_ends_reloading_also_after_a_failure(listener: tuple[str, socket.socket]) -> None:
    """A manager that was told of a reload is told of its end."""
    name, bound = listener
    with pytest.raises(RuntimeError, match="defect"), ServiceManager(name).reloading():
        raise RuntimeError("a defect")
    assert [bound.recv(4096)[:11], bound.recv(4096)] == [b"RELOADING=1", b"READY=1"]


def test_core_unit_service_manager_takes_the_environment(tmp_path: Path) -> None:
    """The variables are taken away, so that no child tells anything in this process's name."""
    environment = {
        "NOTIFY_SOCKET": str(tmp_path / "x"),
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(os.getpid()),
        "PATH": "/bin",
    }
    assert ServiceManager.of_process(environment).watchdog_seconds == 30.0
    assert environment == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "30000000"},
        {"NOTIFY_SOCKET": "/run/x"},
        {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "0"},
        {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
        {"NOTIFY_SOCKET": "vsock:2:1234", "WATCHDOG_USEC": "30000000"},
    ],
)
def test_core_unit_service_manager_without_a_watchdog(environment: dict[str, str]) -> None:
    """Nobody watches this process, or another one is meant."""
    assert ServiceManager.of_process(environment).watchdog_seconds is None


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "/" + "x" * 300, "@gone"])
def test_core_unit_service_manager_that_is_not_there_costs_nothing(address: str) -> None:
    """A process without a manager, or with one that has gone, works all the same."""
    ServiceManager(address).tell_ready("here")
