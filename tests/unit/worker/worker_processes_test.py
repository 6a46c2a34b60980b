"""How a parent keeps several worker processes running."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fixtures.worker import eventually
from scheduler_core.runtime.service_manager import ServiceManager
from scheduler_worker import worker_process, worker_processes
from scheduler_worker.worker_processes import WorkerProcesses

# What a worker process does, without the work: it is ready, and stays until it is told to stop or is left alone.
_CHILD = """
import os, pathlib, select, signal, socket, sys
folder, number, lifeline = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def leave(signum, frame):
    (folder / f"signal-{number}").write_text(signal.Signals(signum).name)
    if signum != signal.SIGHUP:
        os._exit(int(os.environ.get("CHILD_CODE", "0")))
for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(each, leave)
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
if (folder / "broken").exists():
    os._exit(2)
while (folder / f"hold-{number}").exists():
    if select.select([lifeline], [], [], 0.02)[0]:
        os._exit(0)
manager.sendto(b"READY=1\\nSTATUS=here", os.environ["NOTIFY_SOCKET"])
with (folder / f"pids-{number}").open("a") as file:
    file.write(f"{os.getpid()}\\n")
while not select.select([lifeline], [], [], 0.2)[0]:
    if not (folder / "silent").exists():
        manager.sendto(b"WATCHDOG=1", os.environ["NOTIFY_SOCKET"])
"""


class Bench:
    """Two processes that are no workers, and what is known of them."""

    def __init__(self, folder: Path, manager: ServiceManager | None = None) -> None:
        self.folder = folder
        self.parent = WorkerProcesses("w", 2, self._command, manager or ServiceManager())

    def _command(self, number: int, lifeline: int) -> Sequence[str]:
        return [sys.executable, "-I", "-S", "-c", _CHILD, str(self.folder), str(number), str(lifeline)]

    def pids(self, number: int) -> list[int]:
        """The processes that have been ready, the first one first."""
        file = self.folder / f"pids-{number}"
        return [int(line) for line in file.read_text().splitlines()] if file.exists() else []

    def heard(self, number: int) -> str:
        """The last signal that a process has heard."""
        file = self.folder / f"signal-{number}"
        return file.read_text() if file.exists() else ""

    async def both_ready(self) -> None:
        """Return when there are two."""
        await eventually(lambda: bool(self.pids(1) and self.pids(2)))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Processes that are started again soon, for a parent without a terminal."""
    monkeypatch.setattr(worker_process, "_PAUSE_SECONDS_FIRST", 0.05)
    monkeypatch.setattr(worker_processes, "has_terminal", lambda: False)
    return Bench(tmp_path)


def tell_parent(number: int) -> None:
    """A signal to the process that runs the parent."""
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_worker_unit_processes_end_together(bench: Bench, number: int) -> None:
    """A signal reaches each process, and the parent ends with 0 when all have."""
    running = asyncio.create_task(bench.parent.run())
    await bench.both_ready()
    tell_parent(number)
    assert await asyncio.wait_for(running, 20) == 0
    assert [bench.heard(1), bench.heard(2)] == [signal.Signals(number).name] * 2
    assert [len(bench.pids(1)), len(bench.pids(2))] == [1, 1]


async def test_worker_unit_processes_come_back_after_a_crash(bench: Bench) -> None:
    """One that is killed is started again, the other one stays."""
    running = asyncio.create_task(bench.parent.run())
    await bench.both_ready()
    os.kill(bench.pids(1)[0], signal.SIGKILL)
    await eventually(lambda: len(bench.pids(1)) == 2)
    tell_parent(signal.SIGTERM)
    assert await asyncio.wait_for(running, 20) == 0
    assert len(bench.pids(2)) == 1


async def test_worker_unit_processes_come_back_when_the_system_has_room(bench: Bench) -> None:
    """One that cannot be started again at once, after a signal without a name, is started later."""
    running = asyncio.create_task(bench.parent.run())
    await bench.both_ready()
    process = bench.parent._processes[0]
    command, process._command = process._command, [str(bench.folder / "missing")]
    os.kill(bench.pids(1)[0], signal.SIGRTMIN + 6)
    first = process._process
    assert first is not None
    await eventually(lambda: first.returncode is not None)
    await eventually(lambda: running.done() or process._backoff._next > 0.1)
    process._command = command
    await eventually(lambda: running.done() or len(bench.pids(1)) == 2)
    assert not running.done()
    tell_parent(signal.SIGTERM)
    assert await asyncio.wait_for(running, 20) == 0
    assert len(bench.pids(2)) == 1


async def test_worker_unit_processes_hear_of_new_settings(bench: Bench) -> None:
    """SIGHUP is passed on and ends nothing."""
    running = asyncio.create_task(bench.parent.run())
    await bench.both_ready()
    tell_parent(signal.SIGHUP)
    await eventually(lambda: [bench.heard(1), bench.heard(2)] == ["SIGHUP"] * 2)
    assert not running.done()
    tell_parent(signal.SIGTERM)
    assert await asyncio.wait_for(running, 20) == 0


async def test_worker_unit_processes_that_cannot_begin_are_given_up(bench: Bench) -> None:
    """One that ends before it was ever ready will not do better: all end, with its exit code."""
    (bench.folder / "broken").touch()
    assert await asyncio.wait_for(bench.parent.run(), 20) == 2
    assert bench.pids(1) == bench.pids(2) == []


async def test_worker_unit_processes_that_hang_are_replaced(bench: Bench) -> None:
    """One that was ready and tells nothing for as long as the manager bears is killed and started again."""
    bench.parent = WorkerProcesses("w", 2, bench._command, ServiceManager("@nobody", 1.0))
    running = asyncio.create_task(bench.parent.run())
    await bench.both_ready()
    os.kill(bench.pids(1)[0], signal.SIGSTOP)
    await eventually(lambda: len(bench.pids(1)) == 2)
    tell_parent(signal.SIGTERM)
    assert await asyncio.wait_for(running, 20) == 0


async def test_worker_unit_processes_are_told_to_the_manager(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ready when both are, and stopping; a process that fails in its drain is the exit code of all."""
    monkeypatch.setenv("CHILD_CODE", "7")
    (bench.folder / "hold-2").touch()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        bench.parent = WorkerProcesses("w", 2, bench._command, ServiceManager(str(tmp_path / "notify"), 60.0))
        running = asyncio.create_task(bench.parent.run())
        told: list[str] = []
        await eventually(lambda: any(process.was_ready for process in bench.parent._processes))
        tell_parent(signal.SIGHUP)
        await eventually(lambda: bench.heard(1) == "SIGHUP")
        _read(listener, told)
        assert not any(line.startswith("READY=1") for line in told)
        (bench.folder / "hold-2").unlink()
        await eventually(lambda: _read(listener, told) and any(line.startswith("READY=1") for line in told))
        tell_parent(signal.SIGTERM)
        assert await asyncio.wait_for(running, 20) == 7
        _read(listener, told)
    assert "READY=1\nSTATUS=2 worker processes, w-1 to w-2" in told
    assert told[0] == "WATCHDOG=1"
    assert told[-1] == "STOPPING=1\nSTATUS=Stopping"


async def test_worker_unit_processes_are_killed_by_a_third_signal(bench: Bench) -> None:
    """Whatever they are stuck in."""
    running = asyncio.create_task(bench.parent.run())
    await bench.both_ready()
    for number in (1, 2):
        os.kill(bench.pids(number)[0], signal.SIGSTOP)
    for count in range(3):
        assert not running.done()
        tell_parent(signal.SIGTERM)
        await eventually(_counted(bench.parent, count + 1))
    assert await asyncio.wait_for(running, 20) == 143


def _counted(parent: WorkerProcesses, count: int) -> Callable[[], bool]:
    return lambda: len(parent._signals) == count


def _read(listener: socket.socket, told: list[str]) -> bool:
    while True:
        try:
            told.append(listener.recv(4096).decode())
        except BlockingIOError:
            return True
