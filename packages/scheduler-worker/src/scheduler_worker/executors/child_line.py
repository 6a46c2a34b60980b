"""A python child's side of the line to its worker."""

import logging
import os
import select
import socket
import sys
import threading

import msgspec

from scheduler_core.models import RunProgress
from scheduler_worker.current_run import StopToken
from scheduler_worker.executors.python_protocol import (
    LENGTH,
    LOG_CHARS_MAX,
    Answer,
    Call,
    LogText,
    Progress,
    Question,
    Stop,
    framed,
)

_decode = msgspec.json.Decoder(Question | Call | Stop).decode


class WorkerLine:
    """Takes requests and sends answers; every thread of the function may send, its forks may not.

    `is_in_call`: what is said now belongs to a run.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self.is_in_call = False

    def request(self) -> Question | Call | None:
        """The next request; None when the worker has hung up."""
        while True:
            header = self._exactly(LENGTH.size)
            body = None if header is None else self._exactly(LENGTH.unpack(header)[0])
            request = None if body is None else _decode(body)
            # One that was sent while the function before was returning already.
            if not isinstance(request, Stop):
                return request

    def send(self, message: Progress | LogText | Answer) -> bool:
        """Whether the message was sent: a fork has no line of its own, and the worker may be gone."""
        if os.getpid() != self._pid:
            return False
        frame = framed(message)
        with self._lock:
            try:
                self._channel.sendall(frame)
            except OSError:
                return False
        return True

    def has_request(self, seconds: float) -> bool:
        """Whether the worker says something, or has hung up, within so many seconds; nothing is taken from the line."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        return bool(poll.poll(max(0.0, seconds) * 1000))

    def _exactly(self, size: int) -> bytes | None:
        data = bytearray()
        while len(data) < size:
            try:
                part = self._channel.recv(size - len(data))
            except ConnectionError:
                return None
            if not part:
                return None
            data += part
        return bytes(data)


class LineToken(StopToken):
    """Set as soon as the worker says anything during a call: it says nothing but that the function is to end."""

    def __init__(self, line: WorkerLine) -> None:
        super().__init__()
        self._line = line

    def is_set(self) -> bool:
        """See StopToken; without a thread that listens, which forks of the function would lack."""
        return self._line.has_request(0.0)

    def wait(self, seconds: float) -> bool:
        """See StopToken."""
        return self._line.has_request(seconds)


def report_over(line: WorkerLine, progress: RunProgress) -> None:
    """Show how far the function is, if the worker still listens."""
    line.send(Progress(progress))


class LineLogHandler(logging.Handler):
    """Sends the records of a run to its worker; others, and those of forks, go to stderr."""

    def __init__(self, line: WorkerLine) -> None:
        super().__init__()
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        try:
            text = f"{self.format(record)}\n"
            if not self.write(text):
                sys.stderr.write(text)
        except Exception:
            self.handleError(record)

    def write(self, text: str) -> bool:
        """Whether the text went to the log of the run."""
        if not self._line.is_in_call:
            return False
        clean = text.encode("utf-8", "replace").decode()
        pieces = range(0, len(clean), LOG_CHARS_MAX)
        return all(self._line.send(LogText(clean[start : start + LOG_CHARS_MAX])) for start in pieces)
