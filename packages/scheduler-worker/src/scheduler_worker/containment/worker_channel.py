"""The supervisor's end of its two sockets to the worker."""

import fcntl
import marshal
import os
import socket
from typing import Any

from scheduler_worker.containment.frames import FrameReader, Message, framed

_READ_BYTES = 262_144
_CONTROL_BYTES = 1 << 20
_DESCRIPTORS_MAX = 250
_OWN_DESCRIPTORS_MIN = 64

Control = tuple[str, Any, list[int]]
"""What is said, a number that belongs to it, and the programs that are meant."""


class WorkerChannel:
    """Takes what the worker asks for, with the descriptors that come along, and keeps what it is to be told."""

    def __init__(self, requests: socket.socket, control: socket.socket) -> None:
        self.requests = requests
        self.control = control
        self.is_closed = False
        self._frames = FrameReader()
        self._descriptors: list[int] = []
        self._answers = bytearray()

    @property
    def has_answers(self) -> bool:
        """Whether something waits until the worker has read more."""
        return bool(self._answers)

    def read_requests(self) -> list[Message]:
        """What has been asked for in order."""
        try:
            data, ancillary, _, _ = self.requests.recvmsg(
                _READ_BYTES, socket.CMSG_SPACE(4 * _DESCRIPTORS_MAX), socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return []
        except OSError:
            data, ancillary = b"", []
        for _, _, given in ancillary:
            numbers = memoryview(given[: len(given) // 4 * 4]).cast("i")
            self._descriptors += [out_of_the_way(number) for number in numbers]
        self.is_closed = self.is_closed or not data
        return self._frames.feed(data)

    def take_descriptors(self, count: int) -> list[int]:
        """Those that came with a request, which is the next that has any."""
        taken, self._descriptors = self._descriptors[:count], self._descriptors[count:]
        return taken

    def read_control(self) -> Control | None:
        """The next message from any thread of the worker; None when there is none."""
        try:
            data = self.control.recv(_CONTROL_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data:
            self.is_closed = True
            return None
        kind, number, keys = marshal.loads(data)  # noqa: S302 - from our own worker
        return kind, number, keys

    def acknowledge(self, number: int) -> None:
        """What this control message asked for is done."""
        try:
            self.control.send(marshal.dumps(number))
        except OSError:
            self.is_closed = True

    def answer(self, *message: Any) -> None:
        """Tell the worker at the next `send`."""
        self._answers += framed(message)

    def send(self) -> None:
        """Send as much as the worker has room for; one that stands still is not waited for."""
        while self._answers:
            try:
                sent = self.requests.send(self._answers)
            except BlockingIOError:
                return
            except OSError:
                self.is_closed = True
                return
            del self._answers[:sent]


def out_of_the_way(descriptor: int) -> int:
    """The same file under a number so high that none of those that a program gets is meant by it."""
    if descriptor >= _OWN_DESCRIPTORS_MIN:
        # What was passed on to this program is open to its children, too.
        os.set_inheritable(descriptor, False)
        return descriptor
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _OWN_DESCRIPTORS_MIN)
    os.close(descriptor)
    return moved
