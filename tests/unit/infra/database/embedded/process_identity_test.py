"""ProcessIdentity: one process, not whoever has its pid."""

import os
import subprocess

import pytest

from scheduler_infra.database.embedded.process_identity import ProcessIdentity, command_line


def test_is_alive_own_process() -> None:
    """A running process is recognised."""
    identity = ProcessIdentity.of(os.getpid())
    assert identity is not None
    assert identity.is_alive()


def test_is_alive_reused_pid() -> None:
    """Another process that has the pid now is not taken for the one that was meant."""
    assert not ProcessIdentity(os.getpid(), "another start").is_alive()


@pytest.mark.parametrize("pid", [0, -1, 2**31 - 1])
def test_of_no_process(pid: int) -> None:
    """A pid that nobody can have names no process."""
    assert ProcessIdentity.of(pid) is None


def test_of_zombie() -> None:
    """A process that has ended but was not waited for does not count as running."""
    with subprocess.Popen(["true"], stdout=subprocess.PIPE) as process:
        identity = ProcessIdentity.of(process.pid)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert ProcessIdentity.of(process.pid) is None
        assert identity is None or not identity.is_alive()


def test_command_line_own_process() -> None:
    """The words a process was started with are told one by one, and none for a process that is not there."""
    with subprocess.Popen(
        ["cat", "-", "/dev/null"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        try:
            # Its answer shows that it really is `cat` by now: for a moment the kernel tells no words.
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"x")
            assert process.stdout.read(1) == b"x"
            assert command_line(process.pid) == ["cat", "-", "/dev/null"]
        finally:
            process.kill()
    assert command_line(2**31 - 1) == []
