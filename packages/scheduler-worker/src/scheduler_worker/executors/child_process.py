"""One process that an executor has started, with everything in its session."""

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_READ_BYTES = 65_536
# After the end of a process no more is read than pipes can hold: somebody who escaped its group may go on writing.
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

    def reap(self, child: "ChildProcess") -> int:
        """Wait for a child that has ended, and forget it: from now on its process id may be somebody else's."""
        with self._lock:
            self._children.discard(child)
            # While its leader is not waited for, the group's id cannot be used again.
            child.signal_group(signal.SIGKILL)
            return child.popen.wait()

    def kill_all(self) -> None:
        """Kill all process groups at once."""
        with self._lock:
            for child in self._children:
                child.signal_group(signal.SIGKILL)


class ChildProcess:
    """A child that leads a session and a process group of its own; its output goes to `write(stream, data)`.

    Belongs to the loop it was started in. When the process ends, what is left of its group is killed.
    """

    def __init__(self, popen: "subprocess.Popen[bytes]", pipes: Mapping[str, int], table: ChildTable) -> None:
        self.popen = popen
        self.write: Write | None = None
        self._pipes = dict(pipes)
        self._table = table
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._pidfd = -1
        table.add(self)
        for stream, descriptor in self._pipes.items():
            self._loop.add_reader(descriptor, self._read, stream)
        self._watch()

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        *,
        table: ChildTable,
        environment: Mapping[str, str],
        working_dir: str | None = None,
        pass_fds: Sequence[int] = (),
        write: Write | None = None,
    ) -> "ChildProcess":
        """Start a program; raises OSError or ValueError when that is not possible. Takes about a millisecond."""
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            pipes, ends = {}, []
            for stream in ("stdout", "stderr"):
                reading, writing = os.pipe()
                ours.callback(os.close, reading)
                theirs.callback(os.close, writing)
                os.set_blocking(reading, False)
                pipes[stream] = reading
                ends.append(writing)
            popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=ends[0],
                stderr=ends[1],
                env=environment,
                cwd=working_dir,
                start_new_session=True,
                pass_fds=pass_fds,
            )
            child = cls(popen, pipes, table)
            child.write = write
            ours.pop_all()
            return child

    @property
    def has_ended(self) -> bool:
        """Whether its exit code is known."""
        return self._ended.done()

    def call_at_end(self, call: Callable[[], None]) -> None:
        """Have something called in the loop when it has ended; at once when it has already."""
        self._ended.add_done_callback(lambda _: call())

    async def wait(self) -> int:
        """Its exit code, or minus the signal that killed it; all its output has been written by then."""
        return await asyncio.shield(self._ended)

    async def end(self, grace_seconds: float) -> int:
        """Ask the group to end, and kill it after `grace_seconds`, or at once when this is cancelled. Never raises."""
        if not self.has_ended and grace_seconds > 0:
            self.signal_group(signal.SIGTERM)
            # Stopped processes get the signal only when they go on.
            self.signal_group(signal.SIGCONT)
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({self._ended}, timeout=grace_seconds)
        self.signal_group(signal.SIGKILL)
        while not self.has_ended:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({self._ended})
        return self._ended.result()

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the whole group, if it is still there."""
        if self.popen.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.popen.pid, number)

    def read_rest(self) -> None:
        """Take what has been written so far and not been read yet."""
        for stream in list(self._pipes):
            taken = 0
            while taken < _REST_BYTES_MAX and (count := self._read(stream)):
                taken += count

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

    def _watch(self) -> None:
        try:
            self._pidfd = os.pidfd_open(self.popen.pid)
        except (AttributeError, OSError):
            # Not every kernel has them: a thread waits instead, and leaves the reaping to us all the same.
            self._loop.run_in_executor(None, self._wait_in_thread)
        else:
            self._loop.add_reader(self._pidfd, self._on_end)

    def _wait_in_thread(self) -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, self.popen.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._on_end)

    def _on_end(self) -> None:
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        code = self._table.reap(self)
        self.read_rest()
        for stream in list(self._pipes):
            self._close(stream)
        self._ended.set_result(code)


def start_problem(error: OSError, program: str, working_dir: str | None) -> str:
    """Why a program could not be started, and what to do about it."""
    if working_dir is not None and not Path(working_dir).is_dir():
        what = "is not a directory" if Path(working_dir).exists() else "does not exist on this worker's host"
        return f"The working directory '{working_dir}' {what}. Correct working_dir."
    if working_dir is not None and not os.access(working_dir, os.X_OK):
        return f"The worker's user may not enter the working directory '{working_dir}'."
    if isinstance(error, FileNotFoundError):
        where = "does not exist" if "/" in program else "is not on the worker's PATH"
        return f"The program '{program}' {where}, or the interpreter in its first line is missing."
    if isinstance(error, PermissionError):
        return f"The program '{program}' may not be executed by the worker's user; is it marked as executable?"
    if error.errno == errno.ENOEXEC:
        return f"The program '{program}' is no executable: a script needs a first line such as #!/bin/sh."
    if error.errno == errno.E2BIG:
        return "The command and its environment are too long for this system."
    return f"The program '{program}' cannot be started: {error.strerror or error}."


def ending(code: int) -> str:
    """An exit code as people say it: `exit code 3`, `signal SIGKILL`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
