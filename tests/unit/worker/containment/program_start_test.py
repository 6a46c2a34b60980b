"""A start that fails costs the supervisor nothing."""

import errno
import os
from pathlib import Path

import pytest

from scheduler_worker.containment import program_start


def test_a_fork_that_fails_leaves_no_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often there are too many processes, the supervisor does not run out of files."""

    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, "no more")

    monkeypatch.setattr(os, "fork", refuse)
    before = _open_files()

    with pytest.raises(BlockingIOError):
        program_start.fork("/bin/true", ["true"], {}, None, [], group_procs=None, limits={}, user=None, nice=0)

    assert _open_files() == before


@pytest.mark.parametrize("count", [1, 64])
def test_a_program_that_cannot_be_started_is_told_whatever_it_would_get(count: int) -> None:
    """The reason comes through however many descriptors are meant for the program."""
    null = os.open(os.devnull, os.O_RDWR)

    with pytest.raises(FileNotFoundError):
        program_start.fork(
            "/no/such", ["such"], {}, None, [null] * count, group_procs=None, limits={}, user=None, nice=1
        )

    os.close(null)


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
