"""The output of one attempt on its way to the database."""

import math
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from scheduler_core.interfaces import RunOutput
from scheduler_core.models import RunKey, RunLogEntry, RunProgress
from scheduler_worker.error_text import storable
from scheduler_worker.output_pieces import OutputPieces, Piece
from scheduler_worker.output_room import OutputRoom

_TEXT_CHARS_MAX = 1000
_NAME_CHARS_MAX = 100
_METRICS_MAX = 50
_NO_LIMIT = 2**62


class BufferedOutput(RunOutput):
    """Collects what one attempt prints and cuts it into entries of whole lines; safe to write from any thread.

    Bytes that are no UTF-8 are replaced, NULs are removed. Beyond `limit_bytes` it keeps a marker and only counts; what
    finds no `room` is not kept either, and a marker stands in its place. Of progress the last is kept. `on_first` is
    called at the first write or report after everything was taken.
    """

    __slots__ = (
        "_bytes", "_dropped", "_has_left", "_has_news", "_is_closed", "_is_waiting", "_left", "_limit", "_lines",
        "_lock", "_now", "_on_first", "_pieces", "_progress", "_room", "_sequence", "_taken", "_unstored", "key",
    )  # fmt: skip

    def __init__(
        self,
        key: RunKey,
        limit_bytes: int,
        now: Callable[[], datetime],
        on_first: "Callable[[BufferedOutput], None]",
        room: OutputRoom | None = None,
    ) -> None:
        self.key = key
        self._limit = limit_bytes
        self._left = limit_bytes
        self._dropped = 0
        self._unstored = 0
        self._taken = 0
        self._room = room or OutputRoom(_NO_LIMIT)
        self._now = now
        self._on_first = on_first
        self._pieces: OutputPieces | None = None
        self._has_left = False
        self._sequence = 0
        self._lines = 0
        self._bytes = 0
        self._progress: RunProgress | None = None
        self._has_news = False
        self._is_waiting = False
        self._is_closed = False
        self._lock = threading.Lock()

    def write(self, stream: str, data: bytes) -> None:
        """See RunOutput."""
        with self._lock:
            if self._is_closed or not data:
                return
            if len(data) > self._left:
                if not self._dropped:
                    self._cut(stream, data[: self._left])
                self._dropped += len(data) - self._left
                self._left = 0
            else:
                self._left -= len(data)
                self._add(stream, data)
            first, self._is_waiting = not self._is_waiting, True
        if first:
            self._on_first(self)

    def report(self, progress: RunProgress) -> None:
        """See RunOutput."""
        with self._lock:
            if self._is_closed:
                return
            self._progress = _merged(self._progress, progress)
            self._has_news = True
            first, self._is_waiting = not self._is_waiting, True
        if first:
            self._on_first(self)

    def close(self) -> None:
        """No more is taken; what lines are open end here."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            if self._pieces is None:
                return
            self._tell_unstored()
            self._pieces.end_lines(self._now())
            if self._dropped:
                self._mark(f"[{self._dropped} more bytes of output were not kept]\n")
            first, self._is_waiting = not self._is_waiting, True
        if first:
            self._on_first(self)

    def take(self, bytes_max: int = _NO_LIMIT, entries_max: int = _NO_LIMIT) -> list[RunLogEntry]:
        """What can be stored now, in order, about so much of it; a line that is still open waits till the next time."""
        with self._lock:
            if self._pieces is None:
                self._is_waiting = self._has_news
                return []
            if not self._has_left:
                self._pieces.end_waiting_lines(self._now())
            entries = [self._entry(piece) for piece in self._pieces.take(bytes_max, entries_max)]
            self._settle_room()
            self._has_left = not self._pieces.is_empty
            self._is_waiting = self._has_left or self._pieces.is_line_open or self._has_news
            return entries

    def take_progress(self) -> RunProgress | None:
        """What was reported since the last time, None for nothing."""
        with self._lock:
            progress = self._progress if self._has_news else None
            self._has_news = False
            if self._pieces is None or (self._pieces.is_empty and not self._pieces.is_line_open):
                self._is_waiting = False
            return progress

    @property
    def waiting_bytes(self) -> int:
        """No less than what has been written and not been taken yet."""
        with self._lock:
            return 0 if self._pieces is None else self._pieces.size

    @property
    def is_waiting(self) -> bool:
        """Whether something has not been taken yet."""
        return self._is_waiting

    @property
    def has_more(self) -> bool:
        """Whether the last `take` has left something that could be stored at once."""
        return self._has_left

    def _add(self, name: str, data: bytes) -> None:
        if self._pieces is None:
            self._pieces = OutputPieces()
        if not self._room.take(len(data)):
            if not self._unstored:
                self._pieces.end_lines(self._now())
            self._unstored += len(data)
            return
        self._taken += len(data)
        self._tell_unstored()
        self._pieces.add(name, data, self._now())
        self._settle_room()

    def _settle_room(self) -> None:
        """Take or give back what the pieces cost now, beside the bytes that were taken before."""
        if self._pieces is not None:
            self._room.take_anyway(self._pieces.size - self._taken)
            self._taken = self._pieces.size

    def _cut(self, name: str, data: bytes) -> None:
        self._add(name, data)
        if self._pieces is not None:
            self._pieces.end_lines(self._now())
        self._mark(f"[the limit of {self._limit} bytes of output is reached; the rest is not kept]\n")

    def _tell_unstored(self) -> None:
        if self._unstored:
            unstored, self._unstored = self._unstored, 0
            self._mark(f"[{unstored} bytes of output were not kept: too much was waiting for the database]\n")

    def _mark(self, text: str) -> None:
        if self._pieces is not None:
            self._pieces.end_lines(self._now())
            self._pieces.add("log", text.encode(), self._now())
            self._settle_room()

    def _entry(self, piece: Piece) -> RunLogEntry:
        content, size = _decoded(piece.data)
        self._sequence += 1
        entry = RunLogEntry(
            run_id=self.key.run_id,
            attempt=self.key.attempt,
            sequence=self._sequence,
            stream=piece.stream,
            logged_at=piece.logged_at,
            content=content,
            line_offsets=piece.line_offsets,
            first_line=self._lines + 1,
            first_byte=self._bytes,
        )
        self._lines += len(piece.line_offsets)
        self._bytes += size
        return entry


def _decoded(data: bytes) -> tuple[str, int]:
    """The text that is stored, and its length in bytes."""
    try:
        content = data.decode()
    except UnicodeDecodeError:
        content = data.decode("utf-8", "replace").replace("\0", "")
        return content, len(content.encode())
    nuls = content.count("\0")
    return (content.replace("\0", ""), len(data) - nuls) if nuls else (content, len(data))


def _merged(before: RunProgress | None, now: RunProgress) -> RunProgress:
    """What is told now over what was told before, in a form that can be stored."""
    before = before or RunProgress()
    metrics = dict(before.metrics)
    for name, told in now.metrics.items():
        name, value = storable(str(name))[:_NAME_CHARS_MAX], _number(told)
        if value is not None and (name in metrics or len(metrics) < _METRICS_MAX):
            metrics[name] = value
    share = _number(now.share)
    share = before.share if share is None else min(max(share, 0.0), 1.0)
    text = before.text if now.text is None else storable(str(now.text))
    if text is not None and len(text) > _TEXT_CHARS_MAX:
        text = f"{text[: _TEXT_CHARS_MAX - 1]}…"
    return RunProgress(share=share, text=text, metrics=metrics)


def _number(told: Any) -> float | None:
    """What is a number, whatever a job has called one."""
    try:
        value = float(told)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None
