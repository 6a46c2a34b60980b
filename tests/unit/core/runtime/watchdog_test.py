"""When the watchdog is told that all is well."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from fixtures.worker import eventually
from scheduler_core.interfaces import Component
from scheduler_core.runtime import SystemClock
from scheduler_core.runtime.service_manager import ServiceManager
from scheduler_core.runtime.watchdog import Watchdog


class Watched:
    """A component that says whether it works."""

    name: ClassVar[str] = "watched"

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)

    def is_working(self) -> bool:
        """The next answer, the last one for ever."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Plain:
    """A component that cannot say."""

    name: ClassVar[str] = "plain"


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """A service manager's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.setblocking(False)
        yield bound


def watchdog(tmp_path: Path, *components: Any, seconds: float | None = 0.04) -> Watchdog:
    """A watchdog over these."""
    manager = ServiceManager(str(tmp_path / "notify"), seconds)
    return Watchdog(cast(list[Component], list(components)), manager, SystemClock())


def told(listener: socket.socket) -> bool:
    """Whether there is a ping."""
    try:
        return listener.recv(100) == b"WATCHDOG=1"
    except BlockingIOError:
        return False


def test_core_unit_watchdog_is_told_while_every_component_works(listener: socket.socket, tmp_path: Path) -> None:
    """One that does not work keeps the ping back, until it works again; those that cannot say count as working."""
    dog = watchdog(tmp_path, Plain(), Watched(True), Watched(True, False, True))
    seen = []
    for _ in range(3):
        dog.look()
        seen.append(told(listener))
    assert seen == [True, False, True]


async def test_core_unit_watchdog_goes_on_until_cancelled(listener: socket.socket, tmp_path: Path) -> None:
    """It tells again and again within the manager's patience."""
    running = asyncio.create_task(watchdog(tmp_path, Plain()).run())
    for _ in range(3):
        await eventually(lambda: told(listener))
    running.cancel()


async def test_core_unit_watchdog_rests_where_nobody_watches(listener: socket.socket, tmp_path: Path) -> None:
    """Without a watchdog there is nothing to wake up for."""
    async with asyncio.timeout(10):
        await watchdog(tmp_path, Plain(), seconds=None).run()
    assert not told(listener)
