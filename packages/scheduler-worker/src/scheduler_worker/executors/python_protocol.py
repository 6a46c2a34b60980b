"""What a worker and its python children say to each other: frames of JSON, each after its length."""

import struct
from typing import Any

import msgspec

from scheduler_core.interfaces import RunContext

LENGTH = struct.Struct("!I")


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


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of it: an `error` in one sentence, or what was asked for.

    `is_worn` says that the child should be replaced.
    """

    is_async: bool = False
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: str | None = None
    retryable: bool = True
    is_worn: bool = False


def framed(message: Question | Call | Answer) -> bytes:
    """A message as it is sent; raises TypeError or ValueError when it holds something that is no JSON."""
    body = msgspec.json.encode(message)
    return LENGTH.pack(len(body)) + body
