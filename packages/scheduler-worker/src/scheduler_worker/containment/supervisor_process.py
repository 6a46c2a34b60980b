"""The worker's end of its supervisor."""

import array
import asyncio
import contextlib
import errno
import itertools
import logging
import marshal
import os
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import scheduler_worker
from scheduler_core.runtime.process_identity import ProcessIdentity, guard_mark
from scheduler_worker.containment import supervisor
from scheduler_worker.containment.control_groups import end_groups
from scheduler_worker.containment.frames import FrameReader, Message, framed
from scheduler_worker.containment.program import Program, executable_of

logger = logging.getLogger("scheduler.worker")

_READ_BYTES = 262_144
_PAUSE_SECONDS = 0.002
_KILL_SECONDS = 3.0
_LEAVE_SECONDS = 12.0
_SILENT_SECONDS = 15.0
_SILENT_STILL_SECONDS = 5.0

Ended = Callable[[int, str], None]
"""What is called with the exit code, and with why the supervisor has killed it: lease, supervisor, or nothing."""


class SupervisorError(OSError):
    """There is no supervisor that could start a program."""

    def __init__(self, reason: str = "it has ended") -> None:
        super().__init__(0, f"The supervisor of the worker's jobs cannot start them: {reason}. It is started again.")


class SupervisorProcess:
    """A supervisor that this process has started. Belongs to a loop, except where it is said otherwise."""

    def __init__(
        self,
        popen: "subprocess.Popen[bytes]",
        requests: socket.socket,
        control: socket.socket,
        on_groups: Callable[[str], None],
        on_lost: Callable[[], None],
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.is_usable = True
        self.group_path = ""
        self._popen = popen
        self._requests = requests
        self._control = control
        self._on_groups = on_groups
        self._on_lost = on_lost
        self._frames = FrameReader()
        self._unsent: deque[tuple[bytes, Sequence[int]]] = deque()
        self._starting: dict[int, asyncio.Future[int]] = {}
        self._ended: dict[int, Ended] = {}
        self._keys = itertools.count(1)
        self._kills = itertools.count(1)
        self._kill_lock = threading.Lock()
        self._is_closing = False
        self._heard = 0
        self._has_more_asked = False
        self._is_waiting_for_room = False
        self._watch: asyncio.TimerHandle | None = None
        self.loop.add_reader(requests, self._read)

    @classmethod
    def launch(
        cls,
        token: str,
        directory: str,
        *,
        uses_groups: bool,
        on_groups: Callable[[str], None],
        on_lost: Callable[[], None],
    ) -> "SupervisorProcess":
        """Start one, which removes `directory` at its end; raises OSError.

        `on_groups` hears where its control groups are; `on_lost` is to kill what is left when it has died by itself.
        """
        root = str(Path(scheduler_worker.__file__).parents[1])
        own = ProcessIdentity.own()
        requests, theirs = socket.socketpair()
        control, their_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs, their_control:
                requests.setblocking(False)
                popen = subprocess.Popen(
                    # -I -S: nothing of the environment or of site-packages is loaded.
                    [
                        sys.executable, "-I", "-S", supervisor.__file__, root, str(theirs.fileno()),
                        str(their_control.fileno()), token, directory, str(int(uses_groups)),
                        guard_mark(own.pid, own.started_at),
                    ],
                    pass_fds=[theirs.fileno(), their_control.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env={},
                    start_new_session=True,
                )  # fmt: skip
        except BaseException:
            requests.close()
            control.close()
            raise
        return cls(popen, requests, control, on_groups, on_lost)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def next_key(self) -> int:
        """A key by which the next program to be started is known."""
        return next(self._keys)

    async def start(self, key: int, program: Program, descriptors: Sequence[int], ended: Ended) -> int:
        """Start a program whose 1, 2, 3 and so on these descriptors become; its process id.

        Raises OSError. Cancelled, it leaves nothing of the program behind. `ended` is called when that is so.
        """
        executable = executable_of(program)
        if not self.is_usable:
            raise SupervisorError
        started = self._starting[key] = self.loop.create_future()
        self._ended[key] = ended
        own = None
        if program.has_own_limits():
            user = None if program.user is None else (program.user.uid, program.user.gid, list(program.user.groups))
            own = (dict(program.limits), user, program.nice)
        self._send(
            (
                "start", key, program.mark.encode(), executable, list(program.command), dict(program.environment),
                program.working_dir, len(descriptors), own,
            ),
            descriptors,
        )  # fmt: skip
        try:
            return await asyncio.shield(started)
        except asyncio.CancelledError:
            await self._undo(key, started)
            raise

    def kill(self, key: int) -> None:
        """Kill a program with all that it has started."""
        self._send(("kill", key))

    def ask_to_end(self, key: int) -> None:
        """SIGTERM to the program's process group."""
        self._send(("ask_to_end", key))

    def tell_leader(self, key: int, number: int) -> None:
        """A signal to the program's first process alone."""
        self._send(("tell_leader", key, int(number)))

    def freeze(self, key: int, *, is_frozen: bool) -> None:
        """Have everything that a program has started stand still, or go on."""
        self._send(("freeze", key, is_frozen))

    def kill_now(self, keys: Sequence[int]) -> bool:
        """Kill these programs and wait until nothing of them is left, from any thread; whether that was heard of."""
        with self._kill_lock, contextlib.suppress(OSError, EOFError):
            number = next(self._kills)
            self._control.settimeout(_KILL_SECONDS)
            self._control.send(marshal.dumps(("kill", number, list(keys))))
            while marshal.loads(self._control.recv(64)) < number:  # noqa: S302 - from our own supervisor
                pass
            return True
        return False

    def extend(self, deadline: float) -> None:
        """Everything is to be killed at this monotonic second unless it is told a later one; from any thread."""
        with contextlib.suppress(OSError):
            self._control.send(marshal.dumps(("deadline", deadline, [])), socket.MSG_DONTWAIT)

    def abandon(self) -> None:
        """It does not answer: kill it, so that it starts nothing more; from any thread. The loop sees to the rest."""
        with contextlib.suppress(OSError):
            self._popen.kill()

    def close(self) -> None:
        """Have it kill what is left and end; from any thread, blocking for that long."""
        self._is_closing = True
        self.is_usable = False
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        try:
            self._popen.wait(_LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        if self._popen.returncode != 0:
            # It has not seen to it itself.
            end_groups(self.group_path)
            self._on_lost()
        self._control.close()
        if self.loop.is_closed():
            self._requests.close()
        else:
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._read)

    async def _undo(self, key: int, started: "asyncio.Future[int]") -> None:
        """Kill a program that nobody waits for any more, whether or not it has been started yet."""
        ended: asyncio.Future[None] = self.loop.create_future()
        if key not in self._ended:
            return
        self._ended[key] = lambda *_: ended.set_result(None)
        self._send(("kill", key))
        while not ended.done() and not (started.done() and started.exception() is not None):
            waited: set[asyncio.Future[Any]] = {ended} if started.done() else {ended, started}
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)

    def _send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        if not self.is_usable:
            return
        self._unsent.append((framed(message), descriptors))
        if self._watch is None:
            self._ask_for_life()
        else:
            self._has_more_asked = True
        if not self._is_waiting_for_room:
            self._send_unsent()

    def _ask_for_life(self) -> None:
        self._has_more_asked = False
        self._unsent.append((framed(("ping", 0)), ()))
        self._watch = self.loop.call_later(_SILENT_SECONDS, self._check, self._heard, _SILENT_STILL_SECONDS)

    def _check(self, heard: int, patience_seconds: float) -> None:
        """Kill it if it has been silent, such as when a job has stopped it: nothing it holds could be ended."""
        if not self.is_usable:
            return
        if self._heard != heard:
            self._watch = None
            if self._has_more_asked:
                self._ask_for_life()
                if not self._is_waiting_for_room:
                    self._send_unsent()
        elif patience_seconds > 0:
            # Not yet: all processes of this host may have stood still, and this one goes on first.
            self._watch = self.loop.call_later(patience_seconds, self._check, heard, 0.0)
        else:
            logger.error("supervisor does not answer; killed", extra={"pid": self._popen.pid})
            self.abandon()

    def _send_unsent(self) -> None:
        self._is_waiting_for_room = False
        if not self.is_usable:
            return
        while self._unsent:
            data, descriptors = self._unsent[0]
            ancillary: list[tuple[int, int, Any]] = []
            if descriptors:
                ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
            try:
                sent = self._requests.sendmsg([data], ancillary)
            except BlockingIOError:
                self._is_waiting_for_room = True
                self.loop.add_writer(self._requests, self._send_unsent)
                return
            except OSError as error:
                if error.errno == errno.ETOOMANYREFS:
                    # As many descriptors are on their way as may be.
                    self._is_waiting_for_room = True
                    self.loop.call_later(_PAUSE_SECONDS, self._send_unsent)
                else:
                    self._lose()
                return
            if sent < len(data):
                self._unsent[0] = (data[sent:], ())
            else:
                self._unsent.popleft()
        self.loop.remove_writer(self._requests)

    def _read(self) -> None:
        if self._requests.fileno() < 0:
            return
        try:
            data = self._requests.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._heard += 1
        for kind, *details in self._frames.feed(data):
            if kind == "started":
                self._on_started(*details)
            elif kind == "refused":
                self._on_refused(*details)
            elif kind == "ended":
                self._on_ended(*details)
            elif kind == "hello":
                (self.group_path,) = details
                try:
                    self._on_groups(self.group_path)
                except OSError as error:
                    # What has come together with this must not be lost, such as the end of a program.
                    logger.warning("groups of jobs not written down", extra={"reason": str(error)})
        if not data:
            self._lose()

    def _on_started(self, key: int, pid: int) -> None:
        started = self._starting.pop(key)
        if not started.done():
            started.set_result(pid)

    def _on_refused(self, key: int, number: int) -> None:
        self._ended.pop(key, None)
        started = self._starting.pop(key)
        if not started.done():
            started.set_exception(OSError(number, os.strerror(number)))
            # One that was cancelled is not asked.
            started.exception()

    def _on_ended(self, key: int, code: int, reason: str) -> None:
        ended = self._ended.pop(key, None)
        if ended is not None:
            ended(code, reason)

    def _lose(self) -> None:
        """It is gone: so are its programs, by the hand of others."""
        if self._requests.fileno() < 0:
            return
        self.is_usable = False
        self.loop.remove_reader(self._requests)
        self.loop.remove_writer(self._requests)
        self._requests.close()
        self._unsent.clear()
        if self._watch is not None:
            self._watch.cancel()
        if not self._is_closing:
            logger.error("supervisor ended", extra={"pid": self._popen.pid})
            self._popen.kill()
            self._popen.wait()
            self._control.close()
            end_groups(self.group_path)
            self._on_lost()
        for started in self._starting.values():
            if not started.done():
                started.set_exception(SupervisorError())
                started.exception()
        self._starting.clear()
        ended, self._ended = self._ended, {}
        for call in ended.values():
            call(-9, "supervisor")
