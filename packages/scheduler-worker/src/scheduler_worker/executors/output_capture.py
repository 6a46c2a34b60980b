"""What an async python function prints and logs, sent to its run."""

import logging
import sys
from contextvars import ContextVar
from typing import Any, TextIO

from scheduler_core.interfaces import RunOutput

_output: ContextVar[RunOutput | None] = ContextVar("scheduler_run_output", default=None)


def capture_into(output: RunOutput) -> None:
    """Send what this task and those that inherit its context print and log to `output`."""
    _output.set(output)


class _RoutedStream:
    """Stands in for sys.stdout or sys.stderr: what is written within a run goes to the run, all else through."""

    def __init__(self, original: TextIO, stream: str) -> None:
        self._original = original
        self._stream = stream

    def write(self, text: str) -> int:
        output = _output.get()
        if output is None:
            return self._original.write(text)
        output.write(self._stream, text.encode("utf-8", "replace"))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


class _RunLogHandler(logging.Handler):
    """Writes records of a run to its output, as the stream "log"."""

    def emit(self, record: logging.LogRecord) -> None:
        output = _output.get()
        if output is not None:
            try:
                output.write("log", f"{self.format(record)}\n".encode("utf-8", "replace"))
            except Exception:
                self.handleError(record)


class OutputCapture:
    """Puts the stand-ins in place while any async function may run in this process; `remove` restores the originals."""

    def __init__(self) -> None:
        self._stdout: Any = _RoutedStream(sys.stdout, "stdout")
        self._stderr: Any = _RoutedStream(sys.stderr, "stderr")
        self._before = (sys.stdout, sys.stderr)
        self._handler = _RunLogHandler()
        self._handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        sys.stdout, sys.stderr = self._stdout, self._stderr
        logging.getLogger().addHandler(self._handler)

    def remove(self) -> None:
        """Take the stand-ins away, where nobody else has put something in their place."""
        if sys.stdout is self._stdout:
            sys.stdout = self._before[0]
        if sys.stderr is self._stderr:
            sys.stderr = self._before[1]
        logging.getLogger().removeHandler(self._handler)
