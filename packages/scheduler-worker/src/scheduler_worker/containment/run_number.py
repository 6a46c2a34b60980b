"""A number that a program hands on to all that it starts, in a limit that nobody needs, wherever that goes.

The limit is the time that a realtime process may take without a pause, years of it. Unlike parents, sessions and
environments it stays when a process starts another one, and nothing changes it by chance.
"""

import binascii
import contextlib
import resource
from collections.abc import Iterator

_RUN_BITS = 29
_BASE = 1 << 62


def number_of(token: str, key: int) -> int:
    """That of one run of the worker with this token."""
    return _first_of(token) | key % (1 << _RUN_BITS)


@contextlib.contextmanager
def handed_on(number: int) -> Iterator[None]:
    """What is started meanwhile carries this number, where the limits of this process have room for it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
    try:
        resource.setrlimit(resource.RLIMIT_RTTIME, (number, hard))
    except (OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_RTTIME, (soft, hard))


def carried(pid: int) -> int:
    """The number that a process carries; some other one where it carries none, or nobody may know."""
    try:
        return resource.prlimit(pid, resource.RLIMIT_RTTIME)[0]
    except OSError:
        return 0


def is_of(token: str, pid: int) -> bool:
    """Whether a process is of any run of the worker with this token."""
    return carried(pid) >> _RUN_BITS == _first_of(token) >> _RUN_BITS


def _first_of(token: str) -> int:
    return _BASE | binascii.crc32(token.encode()) << _RUN_BITS
