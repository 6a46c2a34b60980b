"""The output of one attempt on its way to the database."""

import codecs
import threading
from collections.abc import Callable
from datetime import datetime

from scheduler_core.interfaces import RunOutput
from scheduler_core.models import RunKey, RunLogEntry

PIECE_CHARS_MAX = 65_536
"""No stored piece is longer: a reader gets long output in steps, and a line without an end is not kept back."""

_DECODER = codecs.getincrementaldecoder("utf-8")


class _Stream:
    __slots__ = ("decoder", "is_kept_back", "tail")

    def __init__(self) -> None:
        self.decoder = _DECODER(errors="replace")
        self.tail = ""
        self.is_kept_back = False


class BufferedOutput(RunOutput):
    """Collects what one attempt prints and cuts it into entries of whole lines; safe to write from any thread.

    Bytes that are no UTF-8 are replaced, NULs are removed. Beyond `limit_bytes` it keeps a marker and only counts.
    `on_first` is called at the first write after everything was taken.
    """

    __slots__ = (
        "_dropped", "_is_closed", "_is_waiting", "_left", "_limit", "_lock", "_now", "_on_first", "_pieces",
        "_sequence", "_streams", "key",
    )  # fmt: skip

    def __init__(
        self, key: RunKey, limit_bytes: int, now: Callable[[], datetime], on_first: "Callable[[BufferedOutput], None]"
    ) -> None:
        self.key = key
        self._limit = limit_bytes
        self._left = limit_bytes
        self._dropped = 0
        self._now = now
        self._on_first = on_first
        self._streams: dict[str, _Stream] | None = None
        self._pieces: list[tuple[str, datetime, list[str]]] = []
        self._sequence = 0
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

    def close(self) -> None:
        """No more is taken; what lines are open end here."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            if self._streams is None:
                return
            for name in self._streams:
                self._end_line(name)
            if self._dropped:
                self._append("log", f"[{self._dropped} more bytes of output were not kept]\n")
            first, self._is_waiting = not self._is_waiting, True
        if first:
            self._on_first(self)

    def take(self) -> list[RunLogEntry]:
        """Everything that can be stored now, in order; a line that is still open waits till the next time."""
        with self._lock:
            is_open = False
            for name, stream in (self._streams or {}).items():
                if stream.tail and stream.is_kept_back:
                    self._append(name, stream.tail)
                    stream.tail = ""
                stream.is_kept_back = bool(stream.tail)
                is_open = is_open or stream.is_kept_back
            pieces, self._pieces = self._pieces, []
            self._is_waiting = is_open
            entries = []
            for name, logged_at, texts in pieces:
                content = "".join(texts)
                for start in range(0, len(content), PIECE_CHARS_MAX):
                    self._sequence += 1
                    entries.append(self._entry(name, logged_at, content[start : start + PIECE_CHARS_MAX]))
            return entries

    @property
    def is_waiting(self) -> bool:
        """Whether something has not been taken yet."""
        return self._is_waiting

    def _add(self, name: str, data: bytes) -> None:
        if self._streams is None:
            self._streams = {}
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = _Stream()
        text = stream.tail + stream.decoder.decode(data).replace("\0", "")
        end = text.rfind("\n") + 1
        if len(text) - end > PIECE_CHARS_MAX:
            end = len(text)
        if end:
            self._append(name, text[:end])
        stream.tail = text[end:]
        if end:
            stream.is_kept_back = False

    def _cut(self, name: str, data: bytes) -> None:
        self._add(name, data)
        for each in self._streams or {}:
            self._end_line(each)
        self._append("log", f"[the limit of {self._limit} bytes of output is reached; the rest is not kept]\n")

    def _end_line(self, name: str) -> None:
        stream = (self._streams or {})[name]
        text = stream.tail + stream.decoder.decode(b"", final=True)
        stream.tail = ""
        if text:
            self._append(name, text)

    def _append(self, name: str, text: str) -> None:
        if self._pieces and self._pieces[-1][0] == name:
            self._pieces[-1][2].append(text)
        else:
            self._pieces.append((name, self._now(), [text]))

    def _entry(self, stream: str, logged_at: datetime, content: str) -> RunLogEntry:
        return RunLogEntry(
            run_id=self.key.run_id,
            attempt=self.key.attempt,
            sequence=self._sequence,
            stream=stream,
            logged_at=logged_at,
            content=content,
        )
