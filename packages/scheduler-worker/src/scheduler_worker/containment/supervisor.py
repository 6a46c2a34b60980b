"""The program that holds all jobs of one worker: starts, tells, kills and reaps them, and outlives it by a moment.

Run as `supervisor.py ROOT REQUESTS CONTROL TOKEN DIRECTORY GROUPS GUARD`: the place of this package, two sockets to the
worker, the worker's mark and directory, whether to use control groups, and by what others see that there is this guard.
On REQUESTS come frames and go answers; on CONTROL come single messages that any thread of the worker may send: the end
of its lease, and what to kill at once.
Imports nothing beyond the smallest modules, so that it starts in milliseconds and stays small.
"""

import contextlib
import ctypes
import errno
import os
import resource
import select
import signal
import socket
import sys
import time

if __name__ == "__main__":
    sys.path.append(sys.argv[1])

from scheduler_worker.containment import program_start, run_number, tree_removal
from scheduler_worker.containment.control_groups import ControlGroups, Leaf, remove_groups
from scheduler_worker.containment.frames import Message
from scheduler_worker.containment.process_tree import below, hunt, look_around, own_children
from scheduler_worker.containment.supervised_run import SupervisedRun
from scheduler_worker.containment.worker_channel import Control, WorkerChannel, out_of_the_way

_PAUSE_SECONDS = 0.002
_PAUSE_LOOKING_SECONDS = 0.02
"""To look at all processes takes milliseconds, so without groups it is done at most so often."""

_PAUSE_SECONDS_MAX = 0.1
_LEAVE_SECONDS = 10.0
_REST_ROUNDS_MAX = 20
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_NAME = 15


class Supervisor:
    """Serves one worker until that is gone; then everything is killed."""

    def __init__(self, token: str, channel: WorkerChannel, wake: int, groups: ControlGroups | None) -> None:
        self._token = token
        self._channel = channel
        self._wake = wake
        self._groups = groups
        self._runs: dict[int, SupervisedRun] = {}
        self._by_pid: dict[int, SupervisedRun] = {}
        self._ending: dict[int, SupervisedRun] = {}
        self._waiting: list[tuple[int, set[int]]] = []
        self._last_key = 0
        self._doomed: set[int] = set()
        self._deadline: float | None = None
        self._looked_at = 0.0
        self._null = out_of_the_way(os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC))

    def serve(self) -> None:
        """Work until the worker is gone and nothing of its jobs is left."""
        poll, channel = select.poll(), self._channel
        # Read first: what is asked for after the end of a lease must not be done because a new one was not heard of.
        poll.register(channel.control, select.POLLIN)
        poll.register(channel.requests, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        with contextlib.suppress(OSError):
            # What a function has forked in the worker's own process may hold the sockets open.
            poll.register(out_of_the_way(os.pidfd_open(os.getppid())), select.POLLIN)
        channel.answer("hello", "" if self._groups is None else self._groups.path)
        while not channel.is_closed:
            channel.send()
            # Answers that did not find room are sent when the worker has read others.
            poll.modify(channel.requests, select.POLLIN | (select.POLLOUT if channel.has_answers else 0))
            for descriptor, _ in poll.poll(self._milliseconds()):
                if descriptor == self._wake:
                    os.read(self._wake, 4096)
                elif descriptor == channel.control.fileno():
                    # All of it: a lease must not end because what has prolonged it is still to be read.
                    while (control := channel.read_control()) is not None:
                        self._obey(control)
                elif descriptor == channel.requests.fileno():
                    for message in channel.read_requests():
                        self._do(message)
                else:
                    channel.is_closed = True
            self._keep_deadline()
            self._reap()
            self._settle()
        left_until = time.monotonic() + _LEAVE_SECONDS
        while (self._runs or _has_children()) and time.monotonic() < left_until:
            self._kill(list(self._runs), "worker")
            self._reap()
            self._settle()
            time.sleep(_PAUSE_SECONDS)
        channel.send()

    def _milliseconds(self) -> float | None:
        if self._ending:
            # What cannot be killed, such as who waits for a broken disk, is looked at less and less often.
            least = _PAUSE_LOOKING_SECONDS if self._must_look() else _PAUSE_SECONDS
            since = time.monotonic() - max(run.ending_since for run in self._ending.values())
            return 1000 * min(_PAUSE_SECONDS_MAX, max(least, since / 10))
        if self._deadline is None or not self._runs:
            return None
        return max(0.0, self._deadline - time.monotonic()) * 1000 + 1

    # What the worker says.

    def _do(self, message: Message) -> None:
        kind, key, *details = message
        if kind == "start":
            self._start(key, *details)
            return
        if kind == "ping":
            self._channel.answer("pong", key)
            return
        run = self._runs.get(key)
        if run is None:
            return
        if kind == "kill":
            self._kill([key], "stop")
        elif kind == "ask_to_end":
            run.ask_to_end()
        elif kind == "tell_leader":
            run.tell_leader(details[0])
        elif kind == "freeze":
            run.freeze(is_frozen=details[0])

    def _obey(self, control: Control) -> None:
        kind, number, keys = control
        if kind == "deadline":
            self._deadline = number
        else:
            # What is killed here may have been asked for there, and not been read yet.
            self._doomed.update(key for key in keys if key > self._last_key)
            self._kill(keys, "worker")
            self._waiting.append((number, set(keys)))

    # What happens to runs.

    def _start(
        self,
        key: int,
        mark: bytes,
        executable: str,
        argv: list[str],
        environment: dict[str, str],
        working_dir: str | None,
        descriptor_count: int,
        own: tuple[program_start.Limits, program_start.User | None, int] | None,
    ) -> None:
        given = self._channel.take_descriptors(descriptor_count)
        leaf: Leaf | None = None
        number = run_number.number_of(self._token, key)
        try:
            self._last_key = key
            if key in self._doomed or (self._deadline is not None and time.monotonic() >= self._deadline):
                self._doomed.discard(key)
                raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
            leaf = self._leaf()
            descriptors = [self._null, *given]
            with run_number.handed_on(number):
                if own is None:
                    pid = program_start.spawn(executable, argv, environment, working_dir, descriptors)
                else:
                    limits, user, nice = own
                    procs = None if leaf is None else leaf.procs
                    pid = program_start.fork(
                        executable, argv, environment, working_dir, descriptors,
                        group_procs=procs, limits=limits, user=user, nice=nice,
                    )  # fmt: skip
        except Exception as error:  # whatever is wrong with one program, the others go on
            problem = error.errno if isinstance(error, OSError) else errno.EINVAL
            self._channel.answer("refused", key, problem or errno.EIO)
            if leaf is not None:
                # It may be the leaf that is no good any more: others are to have a new one.
                remove_groups(leaf.path)
            return
        finally:
            for descriptor in given:
                os.close(descriptor)
        run = self._runs[key] = self._by_pid[pid] = SupervisedRun(key, pid, mark, number, leaf)
        if own is None and leaf is not None and self._groups is not None:
            try:
                leaf.add(pid)
                run.adopt(self._groups)
            except OSError:
                # It is found by its session and its mark, as where there are no groups.
                run.leaf = None
        self._channel.answer("started", key, pid)

    def _leaf(self) -> Leaf | None:
        try:
            return None if self._groups is None else self._groups.take()
        except OSError:
            # There may be no room for more: this one is known by its session and its mark.
            return None

    def _kill(self, keys: list[int], reason: str) -> None:
        for key in keys:
            run = self._runs.get(key)
            if run is not None:
                run.kill(reason)
                self._end(run)

    def _end(self, run: SupervisedRun) -> None:
        run.ending_since = time.monotonic()
        self._ending[run.key] = run

    def _keep_deadline(self) -> None:
        if self._runs and self._deadline is not None and time.monotonic() >= self._deadline:
            self._kill([key for key, run in self._runs.items() if not run.is_killed], "lease")

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                run = self._by_pid.pop(ended.si_pid, None)
                if run is not None:
                    run.leader_has_ended()
                    self._end(run)
                _, status = os.waitpid(ended.si_pid, 0)
                if run is not None:
                    run.code = os.waitstatus_to_exitcode(status)

    def _settle(self) -> None:
        """Say of runs that are over what became of them; kill again what is left of the others."""
        if not self._ending:
            if not self._runs:
                self._end_rest()
            self._acknowledge()
            return
        snapshot, seen = {}, set[int]()
        if self._must_look():
            if time.monotonic() - self._looked_at < _PAUSE_LOOKING_SECONDS / 2:
                return
            snapshot = look_around()
            seen = hunt({run.number for run in self._ending.values() if run.leaf is None})
            self._looked_at = time.monotonic()
        strangers = [] if self._groups is None else self._groups.strangers()
        # What has gone to another group by itself, as containers do, comes here when it loses its parent.
        strangers += [pid for pid in own_children() if pid not in self._by_pid]
        for key, run in list(self._ending.items()):
            if not run.is_empty(snapshot, strangers) or run.code is None or run.number in seen:
                continue
            del self._ending[key], self._runs[key]
            self._channel.answer("ended", key, run.code, run.reason)
            if run.leaf is not None and self._groups is not None:
                with contextlib.suppress(OSError):
                    run.leaf.freeze(is_frozen=False)
                self._groups.give_back(run.leaf)
        if not self._runs:
            self._end_rest()
        self._acknowledge()

    def _end_rest(self) -> None:
        """Kill who is left without a run: it belongs to one that is over."""
        for _ in range(_REST_ROUNDS_MAX):
            if not _has_children():
                return
            for pid in below(look_around()):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self._reap()

    def _must_look(self) -> bool:
        return any(run.leaf is None for run in self._ending.values())

    def _acknowledge(self) -> None:
        for number, keys in list(self._waiting):
            if not keys & self._runs.keys():
                self._waiting.remove((number, keys))
                self._channel.acknowledge(number)


def _has_children() -> bool:
    """Whether anything lives below this process: what loses its parent there becomes its child."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _prepare() -> int:
    """Make this process what its children are to find; gives the descriptor that wakes at the end of a child."""
    library = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_CHILD_SUBREAPER, 1), (_PR_SET_NO_NEW_PRIVS, 1)):
        if library.prctl(option, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
    library.prctl(_PR_SET_NAME, b"supervisor", 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    reading, writing = (out_of_the_way(descriptor) for descriptor in os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return reading


def main() -> None:
    """Serve, then remove what the worker could not remove any more."""
    _, _, requests, control, token, directory, uses_groups, _ = sys.argv
    wake = _prepare()
    sockets = [socket.socket(fileno=out_of_the_way(int(number))) for number in (requests, control)]
    for each in sockets:
        each.setblocking(False)
    groups = ControlGroups.find(token) if uses_groups == "1" else None
    Supervisor(token, WorkerChannel(*sockets), wake, groups).serve()
    if groups is not None:
        groups.remove()
    if directory:
        # Another program under the same id: whoever waits for the guard waits for jobs, and not for their files.
        os.execv(sys.executable, [sys.executable, "-I", "-S", tree_removal.__file__, directory])  # noqa: S606 - our own


if __name__ == "__main__":
    main()
