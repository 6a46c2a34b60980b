"""What the worker and its supervisor say to each other: marshalled tuples behind their length."""

import marshal
import struct
from typing import Any

_LENGTH = struct.Struct("<I")

Message = tuple[Any, ...]


def framed(message: Message) -> bytes:
    """The message as it travels; both ends are the same interpreter, so marshal, which is the cheapest, will do."""
    body = marshal.dumps(message)
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Puts messages together from what was read."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are whole now, in order."""
        self._data += data
        messages, start = [], 0
        while len(self._data) - start >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._data, start)
            end = start + _LENGTH.size + size
            if len(self._data) < end:
                break
            messages.append(marshal.loads(self._data[start + _LENGTH.size : end]))  # noqa: S302 - from our own
            start = end
        del self._data[:start]
        return messages
