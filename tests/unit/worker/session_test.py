"""The beginning of a session, and who holds a worker id."""

import os
from typing import Any

import pytest

from fixtures.clock import FrozenClock
from fixtures.factories import build_session
from fixtures.worker import FakeStore
from scheduler_core.errors import WorkerIdTakenError
from scheduler_core.models import NewWorkerSession
from scheduler_core.runtime.process_identity import ProcessIdentity, start_ticks
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
