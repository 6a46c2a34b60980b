"""The worker's side of the line to a python child."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from fixtures.worker import CollectedOutput
from scheduler_worker.executors import python_process
from scheduler_worker.executors.child_process import ChildProcess
from scheduler_worker.executors.python_process import PythonChild
from scheduler_worker.executors.python_protocol import LENGTH, Answer, LogText, Stop, framed


class SilentProcess:
    """A process of which nothing is known."""

    has_ended = False
    write: Any = None

    def call_at_end(self, call: Callable[[], None]) -> None:
        """It never ends."""

    def read_rest(self) -> None:
        """It prints nothing."""


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, PythonChild]]:
    """A child's end of the line, and what the worker has of the child."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield theirs, PythonChild(cast(ChildProcess, SilentProcess()), ours, 1000)


async def test_worker_unit_python_process_leaves_the_loop_to_others(
    line: tuple[socket.socket, PythonChild], output: CollectedOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a child says more and more, other tasks of the worker go on."""
    theirs, child = line
    log = framed(LogText("x"))
    monkeypatch.setattr(python_process, "_RECEIVE_BYTES", len(log))
    theirs.sendall(log * 100 + framed(Answer()))
    seen: list[int] = []

    async def look() -> None:
        while True:
            seen.append(len(output.written))
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await child.ask(b"", output)
    looking.cancel()

    assert len(set(seen)) > 50


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (LENGTH.pack(2**32 - 1), "longer than any result may be"),
        (LENGTH.pack(3) + b"{a}", "The result is no readable JSON"),
        (LENGTH.pack(17) + b'{"type":"stop!!"}', "The result is no readable JSON"),
    ],
)
async def test_worker_unit_python_process_believes_no_nonsense(
    sent: bytes, words: str, line: tuple[socket.socket, PythonChild], output: CollectedOutput
) -> None:
    """What a function writes to the line fails its run, and its child is not used again."""
    theirs, child = line
    theirs.sendall(sent)

    answer = await child.ask(b"", output)

    assert words in str(answer.error)
    assert (answer.is_worn, answer.retryable) == (True, False)


async def test_worker_unit_python_process_tells_a_stop_once_the_request_is_sent(
    line: tuple[socket.socket, PythonChild], output: CollectedOutput
) -> None:
    """A stop that was wanted early comes behind the request, never into it; the next request has none."""
    theirs, child = line
    child.request_stop()
    theirs.sendall(framed(Answer()))

    await child.ask(b"request", output)
    first = theirs.recv(100)
    theirs.sendall(framed(Answer()))
    await child.ask(b"request", output)

    assert (first, theirs.recv(100)) == (b"request" + framed(Stop()), b"request")
