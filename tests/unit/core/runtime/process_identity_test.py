"""Which process is meant, and whether it is known to have ended."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scheduler_core.runtime.process_identity import ProcessIdentity, guard_mark, is_dead, is_guarded, start_ticks

NO_PROCESS = 2**22 + 1


def told_dead(identity: ProcessIdentity, **changes: Any) -> bool:
    """What is_dead says of the process, with some of its marks changed."""
    return is_dead(**{**msgspec.structs.asdict(identity), **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, False, id="alive"),
        pytest.param({"pid": NO_PROCESS}, True, id="gone"),
        pytest.param({"started_at": 1}, True, id="reused-pid"),
        pytest.param({"pid": NO_PROCESS, "hostname": "elsewhere"}, False, id="other-host"),
        pytest.param({"pid": NO_PROCESS, "boot_id": "other"}, False, id="other-boot-or-container"),
        pytest.param({"pid": NO_PROCESS, "boot_id": ""}, False, id="nobody-tells"),
    ],
)
def test_is_dead_only_when_known(changes: dict[str, Any], expected: bool) -> None:
    """Only a process that this host would know of, and does not, is dead."""
    assert told_dead(ProcessIdentity.own(), **changes) is expected


def test_is_dead_counts_a_zombie() -> None:
    """A process that has ended and was not waited for is dead."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        began = start_ticks(process.pid)
        assert not told_dead(ProcessIdentity.own(), pid=process.pid, started_at=began)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert told_dead(ProcessIdentity.own(), pid=process.pid, started_at=began)


@pytest.mark.parametrize(("pid", "expected"), [(os.getppid(), False), (NO_PROCESS, True), (0, True)])
def test_is_dead_where_proc_hides_processes(pid: int, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A live process of another user, hidden by hidepid, is not taken for dead; one that does not exist is."""

    def hidden(path: Path) -> bytes:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_bytes", hidden)
    assert told_dead(ProcessIdentity.own(), pid=pid, started_at=77) is expected


@pytest.mark.parametrize("pid", [0, -1, NO_PROCESS])
def test_start_ticks_of_no_process(pid: int) -> None:
    """An id that no process has began at no time."""
    assert start_ticks(pid) is None


def test_a_guard_is_known_by_its_mark_until_it_has_ended() -> None:
    """Whoever was started with the mark guards that process and no other; a zombie guards nobody."""
    guard = [sys.executable, "-c", "print(flush=True); input()", guard_mark(NO_PROCESS, 12)]
    with subprocess.Popen(guard, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert is_guarded(NO_PROCESS, 12)
        assert not any(is_guarded(*other) for other in ((NO_PROCESS, 1), (NO_PROCESS, 123), (NO_PROCESS - 1, 12)))
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not is_guarded(NO_PROCESS, 12)


def test_nobody_is_known_as_a_guard_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody tells does not keep a dead process from being declared dead."""

    def missing(path: Path) -> list[Path]:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "iterdir", missing)
    assert not is_guarded(os.getpid(), 0)
