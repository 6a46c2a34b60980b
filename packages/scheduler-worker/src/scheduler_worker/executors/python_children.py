"""A small pool of child processes for python functions."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Sequence

import msgspec

from scheduler_core.interfaces import RunContext, RunOutput
from scheduler_worker.executors.child_process import ChildProcess, ChildTable
from scheduler_worker.executors.job_environment import base_environment, kill_run
from scheduler_worker.executors.python_protocol import LENGTH, Answer, Call, Question, framed
from scheduler_worker.own_thread import in_own_thread

_decode = msgspec.json.Decoder(Answer).decode


class ChildDiedError(Exception):
    """A child ended before it answered; `code` as in ChildProcess.wait."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class PythonChild:
    """One child and the socket to it."""

    def __init__(self, process: ChildProcess, channel: socket.socket) -> None:
        self.process = process
        self.runs = 0
        self._channel = channel
        # What the function has forked may hold the other end of the line open.
        process.call_at_end(self._hang_up)

    @classmethod
    def start(cls, table: ChildTable, python_path: Sequence[str]) -> "PythonChild":
        """Start a child; raises OSError when the system has no room for one."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                ours.setblocking(False)
                process = ChildProcess.start(
                    # -P: the directory that the worker was started in counts only if python_path says so.
                    [
                        sys.executable,
                        "-P",
                        "-m",
                        "scheduler_worker.executors.python_child",
                        str(theirs.fileno()),
                        msgspec.json.encode(list(python_path)).decode(),
                    ],
                    table=table,
                    environment=base_environment(),
                    pass_fds=[theirs.fileno()],
                )
            except BaseException:
                ours.close()
                raise
        return cls(process, ours)

    async def ask(self, request: bytes, output: RunOutput | None) -> Answer:
        """Send a framed request and wait for the answer; raises ChildDiedError. All output has been written then."""
        loop = asyncio.get_running_loop()
        self.process.write = None if output is None else output.write
        try:
            await loop.sock_sendall(self._channel, request)
            (size,) = LENGTH.unpack(await self._exactly(LENGTH.size))
            body = await self._exactly(size)
        except OSError:
            raise ChildDiedError(await self.process.wait()) from None
        self.process.read_rest()
        self.process.write = None
        self.runs += 1
        try:
            return _decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            return Answer(error=f"The result is no readable JSON: {error}.", retryable=False, is_worn=True)

    async def end(self, grace_seconds: float) -> int:
        """Stop it with all that its function has started; see ChildProcess.end."""
        self._channel.close()
        return await self.process.end(grace_seconds)

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)

    async def _exactly(self, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        data = bytearray()
        while len(data) < size:
            part = await loop.sock_recv(self._channel, min(size - len(data), 1 << 20))
            if not part:
                raise ConnectionResetError
            data += part
        return bytes(data)


class PythonChildren:
    """Up to `size_max` children; idle ones are used again, up to `runs_max` times.

    A child whose request was interrupted is killed, never used again.
    """

    def __init__(self, *, size_max: int, runs_max: int, python_path: Sequence[str], kill_grace_seconds: float) -> None:
        self._free = asyncio.Semaphore(size_max)
        self._runs_max = runs_max
        self._python_path = python_path
        self._grace_seconds = kill_grace_seconds
        self._table = ChildTable()
        self._idle: list[PythonChild] = []
        # More would only hold memory; under load they are busy and never counted here.
        self._idle_max = min(size_max, os.cpu_count() or 1)

    async def look_at(self, target: str, output: RunOutput) -> Answer:
        """Ask what kind of function this is; raises ChildDiedError, OSError."""
        return await self._ask(Question(target), output, None)

    async def call(self, call: Call, output: RunOutput) -> Answer:
        """Have a function called; cancelling this kills the child that is at it. Raises ChildDiedError, OSError."""
        return await self._ask(call, output, call.context)

    def kill_now(self) -> None:
        """Kill all children at once, from any thread."""
        self._table.kill_all()

    async def close(self) -> None:
        """End the idle children; no others are left."""
        idle, self._idle = self._idle, []
        for child in idle:
            await child.end(0.0)

    async def _ask(self, request: Question | Call, output: RunOutput, context: RunContext | None) -> Answer:
        frame = framed(request)
        async with self._free:
            child = self._take() or PythonChild.start(self._table, self._python_path)
            try:
                answer = await child.ask(frame, output)
            except BaseException as error:
                # A dead child has nothing to be asked for; one that was interrupted may need its grace.
                await child.end(0.0 if isinstance(error, ChildDiedError) else self._grace_seconds)
                if context is not None:
                    await _kill_strays(context)
                raise
            if answer.is_worn or child.runs >= self._runs_max or len(self._idle) >= self._idle_max:
                await child.end(0.0)
            else:
                self._idle.append(child)
            return answer

    def _take(self) -> PythonChild | None:
        while self._idle:
            child = self._idle.pop()
            if not child.process.has_ended:
                return child
            child.process.write = None
        return None


async def _kill_strays(context: RunContext) -> None:
    search = asyncio.ensure_future(in_own_thread(lambda: kill_run(context)))
    while not search.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({search})
