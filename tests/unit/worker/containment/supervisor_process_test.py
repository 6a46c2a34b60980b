"""What the supervisor says is heard, whatever else goes wrong."""

import asyncio
import contextlib
import errno
import socket
import subprocess
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from scheduler_worker.containment.frames import framed
from scheduler_worker.containment.program import Program
from scheduler_worker.containment.supervisor_process import SupervisorProcess


def refuse(_: str) -> None:
    """There is no room to write down where the groups are."""
    raise OSError(errno.ENOSPC, "No space left on device")


def _process() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["true"])


@asynccontextmanager
async def supervisor_with_peer() -> AsyncIterator[tuple[SupervisorProcess, socket.socket, socket.socket]]:
    """The worker's end, with the other ends of its two sockets, and a process that has nothing to do with them."""
    requests, theirs = socket.socketpair()
    control, their_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    requests.setblocking(False)
    popen = _process()
    with theirs, their_control:
        supervisor = SupervisorProcess(popen, requests, control, refuse, lambda: None)
        try:
            yield supervisor, theirs, their_control
        finally:
            supervisor.close()
            await asyncio.sleep(0)


async def test_worker_unit_supervisor_process_hears_what_comes_with_groups_that_cannot_be_written_down() -> None:
    """On a full disk the answers that came in the same moment are not lost: nobody waits for ever."""
    async with supervisor_with_peer() as (supervisor, theirs, _):
        key = supervisor.next_key()
        start = asyncio.create_task(
            supervisor.start(key, Program(command=["/bin/true"], environment={}), [], lambda *_: None)
        )
        await asyncio.sleep(0)
        theirs.send(framed(("hello", "/groups")) + framed(("refused", key, errno.ENOENT)))

        with pytest.raises(FileNotFoundError):
            await asyncio.wait_for(start, 5)


async def test_worker_unit_kill_now_is_not_heard_by_a_supervisor_that_ends_meanwhile() -> None:
    """Who asks hears that, and can kill by other means, instead of failing itself."""
    async with supervisor_with_peer() as (supervisor, _, their_control):

        def end() -> None:
            with contextlib.suppress(OSError):
                their_control.recv(1000)
                their_control.shutdown(socket.SHUT_RDWR)

        ending = threading.Thread(target=end)
        ending.start()
        heard = await asyncio.to_thread(supervisor.kill_now, [1])
        ending.join()

    assert heard is False
