"""One program that an executor has started, with everything that it starts in turn."""

import asyncio
import contextlib
import errno
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence

from scheduler_worker.containment import supervision
from scheduler_worker.containment.program import Program
from scheduler_worker.containment.supervisor_process import SupervisorProcess
from scheduler_worker.worker_error import LeaseEndedError

_READ_BYTES = 65_536
# After the end of a process no more is read than pipes can hold, whatever somebody may go on writing.
_REST_BYTES_MAX = 4 * 1024 * 1024

Write = Callable[[str, bytes], None]


class ChildTable:
    """The living children of one executor. `kill_all` may be called from any thread."""

    def __init__(self) -> None:
        self._children: set[ChildProcess] = set()
        self._lock = threading.Lock()

    def add(self, child: "ChildProcess") -> None:
        """A child has been started."""
        with self._lock:
            self._children.add(child)

    def remove(self, child: "ChildProcess") -> None:
        """Nothing of a child is left."""
        with self._lock:
            self._children.discard(child)

    def kill_all(self) -> None:
        """Kill them all with everything that they have started; nothing of it is left then."""
        with self._lock:
            children = list(self._children)
        keys: dict[SupervisorProcess, list[int]] = {}
        for child in children:
            keys.setdefault(child.supervisor, []).append(child.key)
        for supervisor, each in keys.items():
            if not supervisor.kill_now(each):
                supervisor.abandon()
                # It does not answer: its jobs are found by their mark.
                supervision.kill_all_marked()


class ChildProcess:
    """A child that leads a session and a process group of its own; its output goes to `write(stream, data)`.

    Belongs to the loop it was started in. It has ended when nothing of what it has started is left, for that is killed
    when its first process ends.
    """

    def __init__(self, supervisor: SupervisorProcess, pipes: Mapping[str, int], table: ChildTable) -> None:
        self.supervisor = supervisor
        self.key = 0
        self.pid = 0
        self.write: Write | None = None
        self.end_cause = ""
        """What had it killed beside its executor: "lease" or "supervisor"."""
        self._pipes = dict(pipes)
        self._table = table
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()

    @classmethod
    async def start(
        cls,
        program: Program,
        *,
        table: ChildTable,
        pass_fds: Sequence[int] = (),
        write: Write | None = None,
        made: "Callable[[ChildProcess], None] | None" = None,
    ) -> "ChildProcess":
        """Start a program; raises OSError when that is not possible, LeaseEndedError when there is no lease for it.

        It gets an empty standard input, pipes as its output, and `pass_fds` as its descriptors 3, 4 and so on. `made`
        gets the child while it is being started; what it is told from then on is done when it has been.
        """
        child = cls(supervision.supervisor(), {}, table)
        child.write = write
        child.key = child.supervisor.next_key()
        with contextlib.ExitStack() as theirs:
            ends = []
            try:
                for stream in ("stdout", "stderr"):
                    child._pipes[stream], writing = os.pipe()
                    theirs.callback(os.close, writing)
                    ends.append(writing)
                    os.set_blocking(child._pipes[stream], False)
                table.add(child)
                if made is not None:
                    made(child)
                child.pid = await child.supervisor.start(child.key, program, [*ends, *pass_fds], child._on_end)
            except BaseException as error:
                table.remove(child)
                # What has ended before its start was heard of has closed some of them already.
                child._close_all()
                if isinstance(error, OSError) and error.errno == errno.ECANCELED:
                    raise LeaseEndedError from error
                raise
        child._watch()
        return child

    @property
    def has_ended(self) -> bool:
        """Whether its exit code is known and nothing of it is left."""
        return self._ended.done()

    def call_at_end(self, call: Callable[[], None]) -> None:
        """Have something called in the loop when it has ended; at once when it has already."""
        self._ended.add_done_callback(lambda _: call())

    async def wait(self) -> int:
        """Its exit code, or minus the signal that killed it; all its output has been written by then.

        Raises LeaseEndedError when it was killed at the end of the lease.
        """
        code = await asyncio.shield(self._ended)
        if self.end_cause == "lease":
            raise LeaseEndedError
        return code

    async def end(self, grace_seconds: float) -> int:
        """Ask the group to end, and kill everything after `grace_seconds`, or at once when this is cancelled.

        Never raises. Nothing of the child is left then.
        """
        if not self.has_ended and grace_seconds > 0:
            self.supervisor.ask_to_end(self.key)
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({self._ended}, timeout=grace_seconds)
        self.supervisor.kill(self.key)
        while not self.has_ended:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({self._ended})
        return self._ended.result()

    def freeze(self, *, is_frozen: bool) -> None:
        """Have everything that it has started stand still, or go on."""
        self.supervisor.freeze(self.key, is_frozen=is_frozen)

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to its first process alone."""
        self.supervisor.tell_leader(self.key, number)

    def read_rest(self) -> None:
        """Take what has been written so far and not been read yet."""
        for stream in list(self._pipes):
            taken = 0
            while taken < _REST_BYTES_MAX and (count := self._read(stream)):
                taken += count

    def _watch(self) -> None:
        """It may have ended while the answer to its start was under way."""
        if self._ended.done():
            self._close_all()
            return
        for stream, descriptor in self._pipes.items():
            self._loop.add_reader(descriptor, self._read, stream)

    def _read(self, stream: str) -> int:
        descriptor = self._pipes.get(stream)
        if descriptor is None:
            return 0
        try:
            data = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return 0
        if not data:
            self._close(stream)
        elif self.write is not None:
            self.write(stream, data)
        return len(data)

    def _close(self, stream: str) -> None:
        descriptor = self._pipes.pop(stream)
        self._loop.remove_reader(descriptor)
        os.close(descriptor)

    def _close_all(self) -> None:
        for stream in list(self._pipes):
            self._close(stream)

    def _on_end(self, code: int, cause: str) -> None:
        self._table.remove(self)
        self.end_cause = cause
        self.read_rest()
        if self.pid:
            self._close_all()
        self._ended.set_result(code)
