"""One child process for python functions, as its worker sees it."""

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Mapping

import msgspec

from scheduler_core.interfaces import RunOutput
from scheduler_core.models import TaskRunStatus
from scheduler_worker.containment.program import Program
from scheduler_worker.executors.child_process import ChildProcess, ChildTable
from scheduler_worker.executors.python_protocol import (
    LOG_CHARS_MAX,
    Answer,
    ChildSettings,
    FrameBuffer,
    FrameTooLongError,
    LogText,
    Progress,
    Stop,
    framed,
)

_decode = msgspec.json.Decoder(Answer | Progress | LogText).decode
_LINE = 3
"""The descriptor by which a child knows the line to its worker."""

_RECEIVE_BYTES = 262_144
# A text of the log with every character escaped, and what stands around results and texts.
_BESIDE_RESULT_BYTES = 6 * LOG_CHARS_MAX + 65_536
_STOP = framed(Stop())


class ChildDiedError(Exception):
    """A child ended before it answered; `code` as in ChildProcess.wait."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class PythonChild:
    """One child and the line to it."""

    def __init__(self, process: ChildProcess, channel: socket.socket, answer_bytes_max: int) -> None:
        self.runs = 0
        self.started_at = time.monotonic()
        self._process = process
        self._channel = channel
        self._frame_bytes_max = answer_bytes_max + _BESIDE_RESULT_BYTES
        self._has_request = False
        self._is_stop_wanted = False
        self._is_paused = False
        # What the function has forked may hold the other end of the line open.
        process.call_at_end(self._hang_up)

    @classmethod
    async def start(
        cls, table: ChildTable, settings: ChildSettings, environment: Mapping[str, str], answer_bytes_max: int
    ) -> "PythonChild":
        """Start a child; raises OSError when the system has no room for one."""
        program = Program(
            # -P: the directory that the worker was started in counts only if python_path says so.
            command=[
                sys.executable,
                "-P",
                "-m",
                "scheduler_worker.executors.python_child",
                str(_LINE),
                msgspec.json.encode(settings).decode(),
            ],
            environment=environment,
        )
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                ours.setblocking(False)
                process = await ChildProcess.start(program, table=table, pass_fds=[theirs.fileno()])
            except BaseException:
                ours.close()
                raise
        return cls(process, ours, answer_bytes_max)

    @property
    def has_ended(self) -> bool:
        """Whether it has died."""
        return self._process.has_ended

    async def ask(self, request: bytes, output: RunOutput) -> Answer:
        """Send a framed request and wait for the answer; raises ChildDiedError. All output has been written then."""
        loop = asyncio.get_running_loop()
        self._process.write = output.write
        try:
            await loop.sock_sendall(self._channel, request)
            self._has_request = True
            if self._is_stop_wanted:
                self._tell_stop()
            answer = await self._answer(output)
        except OSError:
            raise ChildDiedError(await self._process.wait()) from None
        self.resume()
        self._process.read_rest()
        self._process.write = None
        self._has_request = self._is_stop_wanted = False
        self.runs += 1
        return answer

    def request_stop(self) -> None:
        """Tell the function that it is to end, as soon as it has been called."""
        self._is_stop_wanted = True
        if self._has_request:
            self._tell_stop()

    def pause(self) -> None:
        """Let it stand still, with all that it has started."""
        self._is_paused = True
        self._process.freeze(is_frozen=True)

    def resume(self) -> None:
        """Let it go on, if it stands still."""
        if self._is_paused:
            self._is_paused = False
            self._process.freeze(is_frozen=False)

    async def end(self, grace_seconds: float) -> int:
        """Stop it with all that its function has started; see ChildProcess.end."""
        # To the function this is a request to stop.
        self._channel.close()
        return await self._process.end(grace_seconds)

    async def _answer(self, output: RunOutput) -> Answer:
        loop = asyncio.get_running_loop()
        frames = FrameBuffer(self._frame_bytes_max)
        while True:
            data = await loop.sock_recv(self._channel, _RECEIVE_BYTES)
            if not data:
                raise ConnectionResetError
            frames.feed(data)
            try:
                while (body := frames.take()) is not None:
                    message = _decode(body)
                    if isinstance(message, Answer):
                        return message
                    if isinstance(message, Progress):
                        output.report(message.progress)
                    else:
                        output.write("log", message.text.encode("utf-8", "replace"))
            except FrameTooLongError:
                return _unreadable("its process has sent what is longer than any result may be")
            except (msgspec.DecodeError, RecursionError) as error:
                return _unreadable(str(error))
            # A child that always has something to say must not keep the loop from everybody else.
            await asyncio.sleep(0)

    def _tell_stop(self) -> None:
        # There is room: between a request and its answer nothing else is sent.
        with contextlib.suppress(OSError):
            self._channel.send(_STOP)

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)


def _unreadable(reason: str) -> Answer:
    return Answer(
        status=TaskRunStatus.FAILED, error=f"The result is no readable JSON: {reason}.", retryable=False, is_worn=True
    )
