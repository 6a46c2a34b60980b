"""`scheduler config reload` against processes that answer as the test says."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scheduler_core.runtime.cli import main
from scheduler_core.runtime.process_folder import ProcessFolder, ProcessRecord
from scheduler_core.runtime.process_identity import ProcessIdentity
from scheduler_core.runtime.reload_answer import ReloadAnswer, ReloadedKey

OWN = ProcessRecord(ProcessIdentity.own(), ("api", "worker"))
PLACES = ReloadedKey("worker.max_concurrent_tasks", 10, 20, "applied")
LEASE = ReloadedKey("worker.lease_seconds", 30.0, 60.0, "needs restart")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProcessFolder:
    """The folder of the state directory that the command looks at."""
    monkeypatch.setenv("SCHEDULER_STATE_DIR", str(tmp_path))
    return ProcessFolder(tmp_path)


@pytest.fixture
def answer(folder: ProcessFolder, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ReloadAnswer]]:
    """What this process answers to its signals; nothing when the list is empty."""
    answers: list[ReloadAnswer] = []

    def hang_up(pid: int, number: int) -> None:
        assert (pid, number) == (os.getpid(), signal.SIGHUP)
        if answers:
            folder.answer(OWN, folder.take_requests(OWN), answers.pop(0))

    with folder.entered(OWN):
        monkeypatch.setattr(os, "kill", hang_up)
        yield answers


def reloaded(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    code = main(["config", "reload", *arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_reload_shows_what_was_applied_and_what_needs_a_restart(
    answer: list[ReloadAnswer], capsys: pytest.CaptureFixture[str]
) -> None:
    """One row for each key of each process, and a warning for what waits."""
    answer.append(ReloadAnswer((PLACES, LEASE)))
    code, out, err = reloaded(capsys)
    name = f"{os.getpid()} (api, worker)"
    assert out.splitlines() == [
        "process\tsetting\told\tnew\toutcome",
        f"{name}\tworker.max_concurrent_tasks\t10\t20\tapplied",
        f"{name}\tworker.lease_seconds\t30.0\t60.0\tneeds restart",
    ]
    assert (code, err) == (0, "warning: Some settings count from the next start on: worker.lease_seconds.\n")


def test_reload_says_that_nothing_changed(answer: list[ReloadAnswer], capsys: pytest.CaptureFixture[str]) -> None:
    """A process that found nothing new has a row of its own."""
    answer.append(ReloadAnswer())
    code, out, err = reloaded(capsys)
    assert (code, out.splitlines()[1].split("\t")[-1], err) == (0, "nothing changed", "")


def test_reload_tells_a_refusal_once_with_its_reason(
    answer: list[ReloadAnswer], capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is that of a configuration that cannot be used."""
    answer.append(ReloadAnswer(refusal="worker.max_concurrent_tasks cannot be 0 (a.toml)."))
    code, out, err = reloaded(capsys)
    assert code == 2
    assert out.splitlines()[1].endswith("\trefused")
    assert err == (
        f"error: Refused by {os.getpid()} (api, worker), which goes on as before: "
        "worker.max_concurrent_tasks cannot be 0 (a.toml).\n"
    )


def test_reload_waits_no_longer_than_it_is_told(
    answer: list[ReloadAnswer], folder: ProcessFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """A process that hangs is told after the time allowed, and its request is taken back."""
    code, out, err = reloaded(capsys, "--wait", "0.2")
    assert (code, out.splitlines()[1].endswith("\tno answer")) == (1, True)
    assert "(api, worker): no answer within 0.2 s" in err
    assert [path.name for path in folder.path.iterdir()] == [f"{OWN.stem}.json"]


def test_reload_as_json_is_one_document_for_each_process(
    answer: list[ReloadAnswer], capsys: pytest.CaptureFixture[str]
) -> None:
    """Values keep their types."""
    answer.append(ReloadAnswer((PLACES,)))
    code, out, _ = reloaded(capsys, "-o", "json")
    document: dict[str, Any] = {
        "pid": os.getpid(),
        "hostname": OWN.process.hostname,
        "components": ["api", "worker"],
        "outcome": "reloaded",
        "problem": None,
        "settings": [{"key": "worker.max_concurrent_tasks", "old": 10, "new": 20, "outcome": "applied"}],
    }
    assert (code, json.loads(out)) == (0, [document])


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (
            msgspec.structs.replace(OWN, hears_hangup=False),
            "it was started to ignore SIGHUP, as nohup does; restart it",
        ),
        (
            msgspec.structs.replace(OWN, process=msgspec.structs.replace(OWN.process, boot_id="b", hostname="alpha")),
            "it runs elsewhere (alpha); send SIGHUP there",
        ),
    ],
)
def test_reload_signals_nobody_who_would_not_hear(
    folder: ProcessFolder,
    record: ProcessRecord,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What cannot be reached from here is said with its remedy, and is no success."""
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("signalled"))
    with folder.entered(record):
        code, _, err = reloaded(capsys)
    assert (code, told in err) == (1, True)


@pytest.mark.parametrize("output", ["table", "json"])
def test_reload_says_that_nobody_is_there(
    folder: ProcessFolder, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The state directory is named: most likely it is the wrong one."""
    code, out, err = reloaded(capsys, "-o", output)
    assert (code, out) == (3, "[]\n" if output == "json" else "")
    assert f"for the state directory {folder.path.parent}" in err


def test_reload_refuses_a_wait_of_no_time(folder: ProcessFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """The value is named."""
    assert reloaded(capsys, "--wait", "0")[0] == 2
