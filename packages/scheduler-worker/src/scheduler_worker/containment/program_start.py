"""The start of one program in a session of its own, as part of the supervisor's program."""

import os
import resource
import signal

from scheduler_worker.containment.worker_channel import out_of_the_way

# A worker that was started in the background of a script ignores some, and what it starts would inherit that.
_RESET = [number for number in range(1, 32) if number not in (signal.SIGKILL, signal.SIGSTOP)]
LIMITS = {
    "cpu_seconds": resource.RLIMIT_CPU,
    "memory": resource.RLIMIT_AS,
    "processes": resource.RLIMIT_NPROC,
    "open_files": resource.RLIMIT_NOFILE,
    "file_size": resource.RLIMIT_FSIZE,
}

Limits = dict[str, int]
User = tuple[int, int, list[int]]


def spawn(
    executable: str, argv: list[str], environment: dict[str, str], working_dir: str | None, descriptors: list[int]
) -> int:
    """Start a program with the limits that it inherits; descriptors become its 0, 1, 2 and so on. Raises OSError.

    The C library does it without a copy of this process, which is several times as fast as a fork.
    """
    actions = [(os.POSIX_SPAWN_DUP2, given, number) for number, given in enumerate(descriptors)]
    here = -1
    if working_dir is not None:
        here = os.open(".", os.O_PATH | os.O_CLOEXEC)
        try:
            os.chdir(working_dir)
        except BaseException:
            os.close(here)
            raise
    try:
        return os.posix_spawn(
            executable, argv, environment, file_actions=actions, setsid=True, setsigmask=[], setsigdef=_RESET
        )
    finally:
        if here >= 0:
            os.fchdir(here)
            os.close(here)


def fork(
    executable: str,
    argv: list[str],
    environment: dict[str, str],
    working_dir: str | None,
    descriptors: list[int],
    *,
    group_procs: str | None,
    limits: Limits,
    user: User | None,
    nice: int,
) -> int:
    """Start a program with limits, a user and a niceness of its own, all of them before its first step.

    Raises OSError.
    """
    # Where none of the program's own descriptors comes to be, for the child says by it why there is no program.
    reading, writing = (out_of_the_way(descriptor) for descriptor in os.pipe2(os.O_CLOEXEC))
    try:
        pid = os.fork()
    except BaseException:
        os.close(reading)
        os.close(writing)
        raise
    if pid == 0:
        code = 0
        try:
            os.setsid()
            _become(group_procs, limits, user, nice)
            for number, given in enumerate(descriptors):
                os.dup2(given, number)
            if working_dir is not None:
                os.chdir(working_dir)
            if "memory" in limits:
                # Last, because this program needs memory, too.
                _limit(resource.RLIMIT_AS, limits["memory"])
            os.execve(executable, argv, environment)  # noqa: S606 - that is the task
        except OSError as error:
            code = error.errno or 5
        except BaseException:
            code = 12
        os.write(writing, bytes([code & 0xFF]))
        os._exit(127)
    os.close(writing)
    try:
        told = os.read(reading, 1)
    finally:
        os.close(reading)
    if told:
        os.waitpid(pid, 0)
        raise OSError(told[0], os.strerror(told[0]))
    return pid


def _become(group_procs: str | None, limits: Limits, user: User | None, nice: int) -> None:
    for number in _RESET:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if group_procs is not None:
        with open(group_procs, "wb", buffering=0) as file:
            file.write(b"0")
    if nice:
        os.nice(nice)
    for name, amount in limits.items():
        if name != "memory":
            _limit(LIMITS[name], amount)
    if user is not None:
        uid, gid, groups = user
        os.setgroups(groups)
        os.setgid(gid)
        os.setuid(uid)


def _limit(number: int, amount: int) -> None:
    _, hard = resource.getrlimit(number)
    # At the first limit of CPU time comes a signal that says so, at the second one that does not.
    wanted = amount + 1 if number == resource.RLIMIT_CPU else amount
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(number, (min(amount, wanted), wanted))
