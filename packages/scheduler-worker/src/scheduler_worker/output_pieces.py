"""Bytes of several streams, cut into pieces that can be stored."""

from datetime import datetime, timedelta
from typing import NamedTuple

PIECE_BYTES_MAX = 65_536
"""No stored piece is longer: a reader gets long output in steps, and a line without an end is not kept back."""

_MILLISECOND = timedelta(milliseconds=1)
_OFFSET_MAX = 2**31 - 1
_PIECE_COST = 400
_LINE_COST = 8


class Piece(NamedTuple):
    """Output of one stream that was written without another one between, at most PIECE_BYTES_MAX long.

    `logged_at` is when its first bytes came, `line_offsets` how many milliseconds later each line came that begins in
    it. The first line may have begun in a piece before.
    """

    stream: str
    logged_at: datetime
    data: bytes
    line_offsets: list[int]


class _Open:
    """The piece that more may be added to."""

    __slots__ = ("logged_at", "offsets", "parts", "size", "stream")

    def __init__(self, stream: str, logged_at: datetime) -> None:
        self.stream = stream
        self.logged_at = logged_at
        self.parts: list[bytes] = []
        self.size = 0
        self.offsets: list[int] = []


class _Stream:
    __slots__ = ("begun_at", "is_in_line", "is_kept_back", "tail")

    def __init__(self) -> None:
        self.tail = b""
        self.begun_at: datetime | None = None
        """When the tail came."""
        self.is_in_line = False
        """Whether what was cut off last had no line end."""
        self.is_kept_back = False
        """Whether the tail has been there for a while."""


class OutputPieces:
    """Cuts output at line ends, in the order in which it is added; a line that is open is kept back up to a limit.

    Where a line has to be cut, no character is.
    """

    __slots__ = ("_open", "_ready", "_streams", "size")

    def __init__(self) -> None:
        self.size = 0
        """About how many bytes of memory it takes that something has been added and not been taken."""
        self._streams: dict[str, _Stream] = {}
        self._ready: list[Piece] = []
        self._open: _Open | None = None

    @property
    def is_line_open(self) -> bool:
        """Whether something waits for the end of its line."""
        return any(stream.tail for stream in self._streams.values())

    def add(self, name: str, data: bytes, now: datetime) -> None:
        """Add what came by one read: its lines share their time."""
        self.size += len(data)
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = _Stream()
        end = data.rfind(b"\n") + 1
        if stream.tail and (end or len(stream.tail) + len(data) > PIECE_BYTES_MAX):
            data, end = stream.tail + data, end + len(stream.tail) if end else 0
            stream.tail = b""
        while len(data) - end > PIECE_BYTES_MAX:
            end = _character_end(data, end + PIECE_BYTES_MAX)
        if end:
            self._cut_off(name, stream, data[:end], now)
            stream.begun_at = None
        if end < len(data):
            stream.begun_at = stream.begun_at or now
            stream.tail += data[end:]

    def end_lines(self, now: datetime) -> None:
        """Keep nothing back any more."""
        for name, stream in self._streams.items():
            self._cut_tail(name, stream, len(stream.tail), now)

    def end_waiting_lines(self, now: datetime) -> None:
        """Keep only back what was not there the last time, and what may be the beginning of a character."""
        for name, stream in self._streams.items():
            if stream.is_kept_back:
                self._cut_tail(name, stream, _character_end(stream.tail, len(stream.tail)), now)
            stream.is_kept_back = bool(stream.tail)

    def take(self, bytes_max: int, pieces_max: int) -> list[Piece]:
        """The first pieces, as many as fit, at least one if there is any."""
        self._close()
        count = taken = 0
        for piece in self._ready[:pieces_max]:
            taken += len(piece.data)
            if count and taken > bytes_max:
                break
            count += 1
            self.size -= len(piece.data) + _PIECE_COST + _LINE_COST * len(piece.line_offsets)
        pieces = self._ready[:count]
        del self._ready[:count]
        return pieces

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take now."""
        return not self._ready and self._open is None

    def _cut_tail(self, name: str, stream: _Stream, end: int, now: datetime) -> None:
        data, stream.tail = stream.tail[:end], stream.tail[end:]
        if data:
            self._cut_off(name, stream, data, now)
            stream.begun_at = now if stream.tail else None

    def _cut_off(self, name: str, stream: _Stream, data: bytes, now: datetime) -> None:
        """Put whole lines, or what is to be stored of an open one, into pieces."""
        first_at = stream.begun_at or now
        stream.is_kept_back = False
        start = 0
        while start < len(data):
            piece = self._piece(name, first_at)
            end = _piece_end(data, start, PIECE_BYTES_MAX - piece.size)
            if end == start:
                self._close()
                continue
            part = data[start:end] if start or end < len(data) else data
            ends_line = part.endswith(b"\n")
            begun = part.count(b"\n") + (not ends_line) - stream.is_in_line
            if begun > 0:
                piece.offsets.append(_offset(piece.logged_at, now if stream.is_in_line else first_at))
                if begun > 1:
                    piece.offsets.extend([_offset(piece.logged_at, now)] * (begun - 1))
                self.size += _LINE_COST * begun
            piece.parts.append(part)
            piece.size += len(part)
            stream.is_in_line = not ends_line
            start, first_at = end, now

    def _piece(self, name: str, logged_at: datetime) -> _Open:
        if self._open is not None and self._open.stream != name:
            self._close()
        if self._open is None:
            self._open = _Open(name, logged_at)
            self.size += _PIECE_COST
        return self._open

    def _close(self) -> None:
        if self._open is not None:
            piece, self._open = self._open, None
            self._ready.append(Piece(piece.stream, piece.logged_at, b"".join(piece.parts), piece.offsets))


def _piece_end(data: bytes, start: int, room: int) -> int:
    """Where to cut so that the part fits: after a line if one ends there, else at `start`, or in an endless line."""
    if len(data) - start <= room:
        return len(data)
    end = data.rfind(b"\n", start, start + room) + 1
    if end:
        return end
    return start if room < PIECE_BYTES_MAX else _character_end(data, start + room)


def _character_end(data: bytes, end: int) -> int:
    """The last place up to `end` that is not within a UTF-8 character; `end` where there is no text."""
    for back in range(1, min(4, end) + 1):
        byte = data[end - back]
        if byte & 0xC0 != 0x80:
            length = 1 if byte < 0xC0 or byte > 0xF7 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return end - back if length > back else end
    return end


def _offset(begin: datetime, at: datetime) -> int:
    return min(max((at - begin) // _MILLISECOND, 0), _OFFSET_MAX)
