"""What dead workers have left is ended, what living ones use is not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from fixtures.worker import eventually, processes_with
from scheduler_core.runtime.process_identity import ProcessIdentity
from scheduler_worker.containment import control_groups
from scheduler_worker.containment.leftovers import end_leftovers
from scheduler_worker.containment.marked_processes import MARK
from scheduler_worker.containment.run_directories import OWNER_FILE, Owner
from scheduler_worker.containment.run_number import handed_on, number_of


def directory_of(base: Path, process: ProcessIdentity, token: str) -> Path:
    """The directory that a worker would have left, with that of a run in it."""
    own = base / f"{process.pid}-{token}"
    (own / "7-2").mkdir(parents=True)
    (own / OWNER_FILE).write_bytes(msgspec.json.encode(Owner(process, token)))
    return own


@contextmanager
def job(token: str, argument: str) -> Iterator[None]:
    """A process that carries the mark of a worker."""
    started = subprocess.Popen(
        ["sleep", argument],
        env={**os.environ, MARK: f"{token}-7-2."},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        started.kill()
        started.wait()


def ended_process() -> ProcessIdentity:
    """A process that has ended."""
    own = ProcessIdentity.own()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return msgspec.structs.replace(own, pid=ended.pid, started_at=1)


@pytest.fixture
def token() -> str:
    """A token of nobody else."""
    return uuid4().hex[:16]


async def test_jobs_and_directories_of_a_dead_worker_go(tmp_path: Path, token: str) -> None:
    """Whatever carries its mark is killed, and its directory is removed."""
    argument = f"1000.{uuid4().int % 10**12}"
    own = directory_of(tmp_path, ended_process(), token)
    with job(token, argument):
        await eventually(lambda: processes_with(argument) != [])

        assert end_leftovers(tmp_path) == 1

        assert processes_with(argument) == []
    assert not own.exists()


async def test_a_job_that_has_cleared_its_environment_goes(tmp_path: Path, token: str) -> None:
    """Also what carries no mark in its environment any more is known as the dead worker's."""
    argument = f"1000.{uuid4().int % 10**12}"
    directory_of(tmp_path, ended_process(), token)
    with handed_on(number_of(token, 3)), job("another", argument):
        await eventually(lambda: processes_with(argument) != [])

        assert end_leftovers(tmp_path) == 1

        assert processes_with(argument) == []


def test_groups_that_were_not_written_down_go(tmp_path: Path, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was killed before it knew of its groups leaves none to whoever follows it in the same place."""
    monkeypatch.setattr(control_groups, "_own_group", lambda: str(tmp_path / "groups"))
    left = tmp_path / "groups" / f"scheduler-{token}"
    (left / "supervisor").mkdir(parents=True)
    directory_of(tmp_path / "runs", ended_process(), token)

    assert end_leftovers(tmp_path / "runs") == 1

    assert not left.exists()


async def test_what_another_user_says_is_not_believed(
    tmp_path: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A description that somebody else has put there makes this user kill and remove nothing."""
    argument = f"1000.{uuid4().int % 10**12}"
    own = directory_of(tmp_path, ended_process(), token)
    monkeypatch.setattr(os, "geteuid", lambda: own.stat().st_uid + 1)
    with job(token, argument):
        await eventually(lambda: processes_with(argument) != [])

        assert end_leftovers(tmp_path) == 0

        assert len(processes_with(argument)) == 1
    assert own.exists()


def test_a_former_boot_has_left_directories_only(tmp_path: Path, token: str) -> None:
    """After a restart of the machine nothing lives that could be killed, whoever has such a mark now."""
    argument = f"1000.{uuid4().int % 10**12}"
    former = msgspec.structs.replace(ProcessIdentity.own(), boot_id="a-former-boot/pid:[1]")
    own = directory_of(tmp_path, former, token)
    with job(token, argument):
        assert end_leftovers(tmp_path) == 1

        assert len(processes_with(argument)) == 1
    assert not own.exists()


@pytest.mark.parametrize("who", ["itself", "another host", "another container"])
async def test_what_may_be_alive_is_left_alone(who: str, tmp_path: Path, token: str) -> None:
    """A worker that lives, and one of which this process cannot know, keep their jobs."""
    argument = f"1000.{uuid4().int % 10**12}"
    own = ProcessIdentity.own()
    boot = own.boot_id.partition("/")[0]
    process = {
        "itself": own,
        "another host": msgspec.structs.replace(ended_process(), hostname="elsewhere"),
        "another container": msgspec.structs.replace(ended_process(), boot_id=f"{boot}/pid:[1]"),
    }[who]
    directory = directory_of(tmp_path, process, token)
    with job(token, argument):
        await eventually(lambda: processes_with(argument) != [])

        assert end_leftovers(tmp_path) == 0

        assert len(processes_with(argument)) == 1
    assert directory.exists()


def test_what_is_no_directory_of_a_worker_is_left_alone(tmp_path: Path) -> None:
    """Files of others and broken descriptions are no reason to fail or to remove anything."""
    (tmp_path / "file").touch()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / OWNER_FILE).write_text("{")

    assert end_leftovers(tmp_path) == 0
    assert end_leftovers(tmp_path / "missing") == 0
    assert (tmp_path / "broken").exists()
