"""What a worker and its python children say to each other: frames of JSON, each after its length."""

import struct
from typing import Any

import msgspec

from scheduler_core.interfaces import RunContext
from scheduler_core.models import RunProgress, TaskRunStatus

LENGTH = struct.Struct("!I")
LOG_CHARS_MAX = 65_536
"""Longer records of a log are sent in pieces."""


class ChildSettings(msgspec.Struct, frozen=True):
    """What a child is told at its start: where to import from, whose functions to call, what to import beforehand."""

    python_path: tuple[str, ...] = ()
    modules: tuple[str, ...] = ("*",)
    warm_modules: tuple[str, ...] = ()


class Question(msgspec.Struct, tag="question", frozen=True):
    """What kind of function is this?"""

    callable: str


class Call(msgspec.Struct, tag="call", frozen=True):
    """Call this function in this run."""

    callable: str
    args: list[Any]
    kwargs: dict[str, Any]
    environment: dict[str, str]
    context: RunContext
    result_limit_bytes: int
    memory_bytes: int | None = None


class Stop(msgspec.Struct, tag="stop", frozen=True):
    """What is being called is to come to its end."""


class Progress(msgspec.Struct, tag="progress", frozen=True):
    """How far the function is."""

    progress: RunProgress


class LogText(msgspec.Struct, tag="log", frozen=True):
    """A record of the function's log, or a piece of one."""

    text: str


class Answer(msgspec.Struct, tag="answer", frozen=True, omit_defaults=True):
    """What came of it: an `error` in one sentence, or what was asked for.

    `is_worn` says that the child should be replaced, `resident_bytes` how much memory it has. For the others see
    RunOutcome.
    """

    is_async: bool = False
    result: msgspec.Raw = msgspec.Raw(b"null")
    status: TaskRunStatus = TaskRunStatus.COMPLETED
    error: str | None = None
    retryable: bool = True
    retry_after_seconds: float | None = None
    exit_code: int | None = None
    exception_types: tuple[str, ...] = ()
    is_worn: bool = False
    resident_bytes: int = 0


def framed(message: Question | Call | Stop | Progress | LogText | Answer) -> bytes:
    """A message as it is sent; raises TypeError or ValueError when it holds something that is no JSON."""
    body = msgspec.json.encode(message)
    return LENGTH.pack(len(body)) + body


class FrameTooLongError(Exception):
    """A message is announced that is longer than any that is legitimate."""


class FrameBuffer:
    """Cuts what is received into the bodies of messages."""

    def __init__(self, size_max: int) -> None:
        self._size_max = size_max
        self._data = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        self._data += data

    def take(self) -> bytes | None:
        """The next message that is there in full; raises FrameTooLongError."""
        if len(self._data) < LENGTH.size:
            return None
        (size,) = LENGTH.unpack_from(self._data)
        if size > self._size_max:
            raise FrameTooLongError(size)
        end = LENGTH.size + size
        if len(self._data) < end:
            return None
        body = bytes(self._data[LENGTH.size : end])
        del self._data[:end]
        return body
