"""The beginning of a session, and who holds a worker id."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from fixtures.clock import FrozenClock
from fixtures.factories import build_session
from fixtures.worker import FakeStore
from scheduler_core.errors import WorkerIdTakenError
from scheduler_core.models import NewWorkerSession
from scheduler_core.runtime.process_identity import ProcessIdentity, guard_mark, start_ticks
from scheduler_worker.session import open_session


class FakeSessions:
    """A WorkerSessionRepository with one holder of every worker id."""

    def __init__(self, holder: NewWorkerSession | None) -> None:
        self.holder = holder
        self.lost: list[tuple[str, int, int]] = []

    async def open(self, session: NewWorkerSession) -> int:
        """Begin, unless somebody else has the id."""
        if self.holder is not None:
            raise WorkerIdTakenError(session.worker_id, self.holder.hostname, self.holder.pid, 20.0)
        return 7

    async def alive_with_id(self, worker_id: str) -> NewWorkerSession | None:
        """Who has it."""
        return self.holder

    async def declare_lost(self, worker_id: str, pid: int, process_started_at: int) -> None:
        """Free it."""
        self.lost.append((worker_id, pid, process_started_at))
        self.holder = None


def session_of(identity: ProcessIdentity, **changes: Any) -> NewWorkerSession:
    """A session of a process."""
    fields: dict[str, Any] = {
        "worker_id": "same",
        "hostname": identity.hostname,
        "boot_id": identity.boot_id,
        "pid": identity.pid,
        "process_started_at": identity.started_at,
    }
    return build_session(**{**fields, **changes})


async def test_open_session_trusts_from_its_request(frozen_clock: FrozenClock) -> None:
    """A new session comes with trust from the moment it was asked for."""
    opened = await open_session(
        FakeStore(worker_sessions=FakeSessions(None)), session_of(ProcessIdentity.own()), frozen_clock
    )

    assert (opened.id, opened.lease.seconds_left(frozen_clock.monotonic())) == (7, 27.0)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"process_started_at": 1}, id="reused-pid"),
        pytest.param({"pid": 2**22 + 1}, id="dead-pid"),
        pytest.param({}, id="own-former-session"),
    ],
)
async def test_open_session_frees_the_id_of_a_dead_process(changes: dict[str, Any], frozen_clock: FrozenClock) -> None:
    """A holder on this host whose process is gone, or was this one, is declared lost at once."""
    own = ProcessIdentity.own()
    holder = session_of(own, **changes)
    sessions = FakeSessions(holder)

    opened = await open_session(FakeStore(worker_sessions=sessions), session_of(own), frozen_clock)

    assert opened.id == 7
    assert sessions.lost == [("same", holder.pid, holder.process_started_at)]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"pid": os.getppid(), "process_started_at": start_ticks(os.getppid())}, id="alive"),
        pytest.param({"hostname": "elsewhere", "pid": 2**22 + 1}, id="other-host"),
        pytest.param({"boot_id": "other", "pid": 2**22 + 1}, id="other-boot"),
        pytest.param({"boot_id": "", "pid": 2**22 + 1}, id="unknown-boot"),
    ],
)
async def test_open_session_refuses_an_id_in_use(changes: dict[str, Any], frozen_clock: FrozenClock) -> None:
    """A holder that lives, or that cannot be looked at, keeps its id."""
    own = ProcessIdentity.own()
    sessions = FakeSessions(session_of(own, **changes))

    with pytest.raises(WorkerIdTakenError):
        await open_session(FakeStore(worker_sessions=sessions), session_of(own), frozen_clock)

    assert sessions.lost == []


@pytest.fixture
def guarded() -> Iterator[tuple[NewWorkerSession, "subprocess.Popen[bytes]"]]:
    """A session of a process that is dead, and the living guard of what it had started."""
    holder = session_of(ProcessIdentity.own(), pid=2**22 + 1, process_started_at=12)
    command = [sys.executable, "-c", "print(flush=True); input()", guard_mark(holder.pid, 12)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as guard:
        assert guard.stdout is not None
        guard.stdout.readline()
        yield holder, guard
        guard.kill()


async def test_open_session_refuses_the_id_of_a_dead_process_whose_jobs_do_not_end(
    guarded: tuple[NewWorkerSession, "subprocess.Popen[bytes]"], frozen_clock: FrozenClock
) -> None:
    """After a while, in which its next run must not begin: the lease frees it."""
    holder, _ = guarded
    sessions = FakeSessions(holder)
    began = frozen_clock.monotonic()
    with pytest.raises(WorkerIdTakenError):
        await open_session(FakeStore(worker_sessions=sessions), session_of(ProcessIdentity.own()), frozen_clock)
    assert sessions.lost == []
    assert 10 < frozen_clock.monotonic() - began < 60


async def test_open_session_waits_until_the_jobs_of_a_dead_process_have_ended(
    guarded: tuple[NewWorkerSession, "subprocess.Popen[bytes]"],
) -> None:
    """The id is free when nobody is there any more who has to end them."""
    holder, guard = guarded
    sessions = FakeSessions(holder)

    class Clock(FrozenClock):
        async def sleep(self, seconds: float) -> None:
            assert sessions.lost == []
            self.advance(seconds)
            if self.monotonic() > guarded_until:
                guard.kill()
                guard.wait()

    clock = Clock()
    guarded_until = clock.monotonic() + 1
    own = session_of(ProcessIdentity.own())
    assert (await open_session(FakeStore(worker_sessions=sessions), own, clock)).id == 7
    assert sessions.lost == [("same", holder.pid, 12)]
    assert clock.monotonic() > guarded_until


async def test_open_session_has_the_id_when_the_lease_of_a_dead_process_ends_before_its_jobs(
    guarded: tuple[NewWorkerSession, "subprocess.Popen[bytes]"], frozen_clock: FrozenClock
) -> None:
    """Whoever waits for the jobs does not wait beyond the lease."""
    free_at = frozen_clock.monotonic() + 3

    class Sessions(FakeSessions):
        async def open(self, session: NewWorkerSession) -> int:
            if (left := free_at - frozen_clock.monotonic()) > 0:
                raise WorkerIdTakenError(session.worker_id, session.hostname, 1, left)
            return 7

    own = session_of(ProcessIdentity.own())
    assert (await open_session(FakeStore(worker_sessions=Sessions(guarded[0])), own, frozen_clock)).id == 7
    assert frozen_clock.monotonic() - free_at < 1
