"""The end of what a run prints, by which a failure may be known."""

import threading

from scheduler_core.interfaces import RunOutput
from scheduler_core.models import RunProgress

_END_BYTES = 2048

# One for all runs: most of them print nothing, and who prints holds it for a moment only.
_adding = threading.Lock()


class EndKeepingOutput(RunOutput):
    """Passes everything on and keeps the end of it, whichever stream it came by; safe from any thread."""

    __slots__ = ("_end", "_output")

    def __init__(self, output: RunOutput) -> None:
        self._output = output
        self._end = b""

    def write(self, stream: str, data: bytes) -> None:
        """See RunOutput."""
        with _adding:
            self._end = (self._end + data[-_END_BYTES:])[-_END_BYTES:]
        self._output.write(stream, data)

    def report(self, progress: RunProgress) -> None:
        """See RunOutput."""
        self._output.report(progress)

    @property
    def end(self) -> str:
        """The last 2 KiB as text."""
        return self._end.decode("utf-8", "replace")
