"""Who runs for a state directory, and what they are asked."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from scheduler_core.runtime.process_folder import ProcessFolder, ProcessRecord
from scheduler_core.runtime.process_identity import ProcessIdentity
from scheduler_core.runtime.reload_answer import ReloadAnswer, ReloadedKey

OWN = ProcessRecord(ProcessIdentity.own(), ("worker",))
ANSWER = ReloadAnswer((ReloadedKey("worker.places", 1, 2, "applied"),))

_SLEEPER = """
import sys
from pathlib import Path
from scheduler_core.runtime.process_folder import ProcessFolder, ProcessRecord
from scheduler_core.runtime.process_identity import ProcessIdentity
with ProcessFolder(Path(sys.argv[1])).entered(ProcessRecord(ProcessIdentity.own(), ("api",))):
    print("entered", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> ProcessFolder:
    """The folder of an empty state directory."""
    return ProcessFolder(tmp_path)


def test_records_are_there_while_their_processes_live(folder: ProcessFolder) -> None:
    """A record comes and goes with its process, and nobody else may read it."""
    assert folder.records() == []
    with folder.entered(OWN):
        assert folder.records() == [OWN]
        assert folder.lives(OWN)
        assert folder.path.stat().st_mode & 0o777 == 0o700
    assert folder.records() == []
    assert not folder.lives(OWN)
    assert list(folder.path.iterdir()) == []


def test_records_of_killed_processes_are_removed_with_all_that_belongs_to_them(folder: ProcessFolder) -> None:
    """A process that could not clean up is not taken for one that runs."""
    command = [sys.executable, "-c", _SLEEPER, str(folder.path.parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (record,) = folder.records()
        assert (record.process.pid, record.components) == (process.pid, ("api",))
        folder.ask(record)
        process.kill()
        process.wait()
        assert folder.records() == []
        assert list(folder.path.iterdir()) == []


@pytest.mark.parametrize("changes", [{"boot_id": "other"}, {"hostname": "elsewhere", "boot_id": "other"}, {}])
def test_records_without_a_lock_are_left_overs_wherever_they_came_from(
    folder: ProcessFolder, changes: dict[str, str]
) -> None:
    """Of a host that was started anew, or of a container that is gone, only the lock tells that it is over."""
    record = ProcessRecord(msgspec.structs.replace(OWN.process, **changes), ("worker",))
    folder.path.mkdir()
    (folder.path / f"{record.stem}.json").write_bytes(msgspec.json.encode(record))
    assert folder.records() == []
    assert list(folder.path.iterdir()) == []


def test_records_from_elsewhere_are_told_as_such(folder: ProcessFolder) -> None:
    """A process in another container that shares the directory lives, but hears no signal from here."""
    elsewhere = ProcessRecord(msgspec.structs.replace(OWN.process, boot_id="other"), ("worker",))
    with folder.entered(elsewhere):
        (record,) = folder.records()
    assert not record.is_here
    assert OWN.is_here


def test_records_that_are_damaged_do_not_hide_the_others(folder: ProcessFolder) -> None:
    """Whatever lies there, those that can be read are found."""
    with folder.entered(OWN):
        (folder.path / "1-1.json").write_text("{")
        assert folder.records() == [OWN]


def test_requests_are_taken_once_and_answered_each(folder: ProcessFolder) -> None:
    """Two who ask at the same time both get the answer, and nothing remains of it."""
    with folder.entered(OWN):
        tokens = [folder.ask(OWN), folder.ask(OWN)]
        assert sorted(folder.take_requests(OWN)) == sorted(tokens)
        assert folder.take_requests(OWN) == []
        assert folder.take_answer(OWN, tokens[0]) is None
        folder.answer(OWN, tokens, ANSWER)
        assert [folder.take_answer(OWN, token) for token in tokens] == [ANSWER, ANSWER]
        assert folder.take_answer(OWN, tokens[0]) is None
        assert [path.name for path in folder.path.iterdir()] == [f"{OWN.stem}.json"]


def test_forget_leaves_nothing_of_a_request(folder: ProcessFolder) -> None:
    """Who gives up waiting takes its request back, and an answer that came too late."""
    with folder.entered(OWN):
        first, second = folder.ask(OWN), folder.ask(OWN)
        folder.take_requests(OWN)
        folder.answer(OWN, [second], ANSWER)
        folder.forget(OWN, first)
        folder.forget(OWN, second)
        assert [path.name for path in folder.path.iterdir()] == [f"{OWN.stem}.json"]
