"""The end of what a run prints, by which a failure may be known."""

import threading

from scheduler_core.interfaces import RunOutput
from scheduler_core.models import RunProgress

_END_BYTES = 2048


class EndKeepingOutput(RunOutput):
    """Passes everything on and keeps the end of it, whichever stream it came by; safe from any thread."""

    def __init__(self, output: RunOutput) -> None:
        self._output = output
        self._end = b""
        self._lock = threading.Lock()

    def write(self, stream: str, data: bytes) -> None:
        """See RunOutput."""
        with self._lock:
            self._end = (self._end + data[-_END_BYTES:])[-_END_BYTES:]
        self._output.write(stream, data)

    def report(self, progress: RunProgress) -> None:
        """See RunOutput."""
        self._output.report(progress)

    @property
    def end(self) -> str:
        """The last 2 KiB as text."""
        return self._end.decode("utf-8", "replace")
