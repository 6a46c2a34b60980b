"""What is to be started, and why it was not."""

import errno
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec


class JobUser(NamedTuple):
    """The user that a program runs as, where it is not the worker's."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    shell: str


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A command with its surroundings; `limits` by the names of the parameter caps, in seconds, bytes and numbers."""

    command: Sequence[str]
    environment: Mapping[str, str]
    mark: str = ""
    working_dir: str | None = None
    limits: Mapping[str, int] = {}
    user: JobUser | None = None
    nice: int = 0

    def has_own_limits(self) -> bool:
        """Whether it does not simply get what the worker has."""
        return bool(self.limits) or self.user is not None or self.nice != 0


def executable_of(program: Program) -> str:
    """The file that the first word of the command means, by the PATH that the program gets; raises OSError."""
    word = program.command[0]
    if "/" in word:
        return word
    problem: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    for folder in program.environment.get("PATH", os.defpath).split(os.pathsep):
        # An empty one is where the program is started.
        candidate = os.path.join(folder or ".", word)
        seen = candidate if program.working_dir is None else os.path.join(program.working_dir, candidate)
        if os.access(seen, os.X_OK) and not Path(seen).is_dir():
            return candidate
        if Path(seen).is_file():
            problem = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    raise problem


def start_problem(error: OSError, program: Program) -> str:
    """Why a program could not be started, and what to do about it."""
    word, folder = program.command[0], program.working_dir
    user = "the worker's user" if program.user is None else f"the user {program.user.name}"
    if folder is not None and not Path(folder).is_dir():
        what = "is not a directory" if Path(folder).exists() else "does not exist on this worker's host"
        return f"The working directory '{folder}' {what}. Correct working_dir."
    if folder is not None and not os.access(folder, os.X_OK):
        return f"The worker's user may not enter the working directory '{folder}'."
    if (problem := _problem_of_file(error, program)) is not None:
        return problem
    if isinstance(error, FileNotFoundError):
        return _missing(word)
    if isinstance(error, PermissionError):
        where = "" if folder is None or program.user is None else f", and may it enter '{folder}'"
        return f"The program '{word}' may not be executed by {user}; is it marked as executable{where}?"
    return _REASONS.get(error.errno or 0, "The program '{word}' cannot be started: {error}.").format(
        word=word, error=error.strerror or error, limits=", ".join(sorted(program.limits)) or "none"
    )


def _problem_of_file(error: OSError, program: Program) -> str | None:
    """What is wrong with a file that is there; None where it does not tell."""
    if error.errno not in (errno.ENOENT, errno.ENOEXEC, errno.EINVAL, errno.EIO, errno.ELIBBAD):
        return None
    word = program.command[0]
    try:
        with Path(program.working_dir or ".", executable_of(program)).open("rb") as file:
            first = file.readline(256)
    except OSError:
        return None
    if first.startswith(b"\x7fELF"):
        if error.errno == errno.ENOENT:
            return f"The program '{word}' needs a dynamic loader (of another C library?) that this host does not have."
        return (
            f"The program '{word}' cannot be executed on this machine, a {os.uname().machine}: it is made for another "
            "one, or broken."
        )
    words = first[2:].split()
    if error.errno != errno.ENOENT or not first.startswith(b"#!") or not words:
        return None
    if len(words) == 1 and first.endswith(b"\r\n"):
        return (
            f"The lines of the program '{word}' end as on Windows (CRLF), so that the name of its interpreter is not "
            "understood. Save it with line ends of Unix (LF)."
        )
    interpreter = words[0].decode("utf-8", "replace")
    return (
        f"The program '{word}' names '{interpreter}' in its first line as its interpreter, which does not exist on "
        "this worker's host."
    )


def _missing(word: str) -> str:
    if "/" not in word:
        return f"The program '{word}' is not on the worker's PATH."
    return f"The program '{word}' does not exist, or the interpreter that it needs is missing."


_REASONS = {
    errno.ENOEXEC: "The program '{word}' is no executable: a script needs a first line such as #!/bin/sh.",
    errno.E2BIG: "The command and its environment are too long for this system.",
    errno.ENOMEM: "There was no memory to start the program '{word}' (caps of the task: {limits}).",
    errno.EAGAIN: (
        "No more processes may be started: the limit of the user or of the machine is reached (caps of the task: "
        "{limits})."
    ),
    errno.EMFILE: "The worker has as many files open as it may. Raise its limit of open files (ulimit -n).",
    errno.ENFILE: "This machine has as many files open as it can.",
    errno.EPERM: (
        "The system does not allow this start of '{word}' by the worker's user, such as another user or a lower nice."
    ),
}


def ending(code: int) -> str:
    """An exit code as people say it: `exit code 3`, `signal SIGKILL`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
