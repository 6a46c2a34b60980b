"""What the functions of one python child share, and how it is kept as it was."""

import contextlib
import ctypes
import logging
import os
import resource
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PR_SET_CHILD_SUBREAPER = 36


def surroundings() -> list[object]:
    """What functions should leave as it was: standard streams and working directory."""
    found: list[object] = [sys.stdin, sys.stdout, sys.stderr]
    for descriptor in range(3):
        try:
            status = os.fstat(descriptor)
            found.append((status.st_dev, status.st_ino))
        except OSError:
            found.append(None)
    try:
        found.append(os.getcwd())  # noqa: PTH109 - compared as text
    except OSError:
        found.append(None)
    return found


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Add variables to the environment; afterwards it is as it was before."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def memory_cap(size_bytes: int | None) -> Iterator[None]:
    """Let this process have no more address space than that; MemoryError for what wants more."""
    if size_bytes is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = size_bytes if hard == resource.RLIM_INFINITY else min(size_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def adopt_orphans() -> None:
    """Let what loses its parent below this process become its child, so that `has_children` knows of it."""
    # Where the system refuses, the supervisor gets them, and they end with this process.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def has_children() -> bool:
    """Whether a process goes on that the function has started, also by others; those that have ended are taken away."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True


def resident_bytes() -> int:
    """How much memory this process has; 0 where nobody tells."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0


def flush() -> None:
    """Let go of what was printed."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


def log_to(handler: logging.Handler) -> None:
    """Have a handler take what is logged, from INFO on."""
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO)
