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


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
