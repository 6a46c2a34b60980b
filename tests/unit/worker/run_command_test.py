"""Whether the console script runs the worker in its own process or in several."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scheduler_worker import cli, run_command, worker_processes


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, ...]]:
    """What the script has done, without anybody's configuration."""
    made: list[tuple[Any, ...]] = []
    for name in [name for name in os.environ if name.startswith("SCHEDULER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SCHEDULER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SCHEDULER_CONFIG_DIR", str(tmp_path))

    class Several:
        """The parent of several, which starts none."""

        def __init__(self, name: str, count: int, command: Any, manager: object) -> None:
            made.append(("several", name, count, command(2, 7)))

        async def run(self) -> int:
            """End at once."""
            return 6

    def one(names: list[str], **options: Any) -> int:
        made.append(("one", names, options["flags"], options["config_dir"]))
        return 5

    monkeypatch.setattr(run_command, "run_components", one)
    monkeypatch.setattr(worker_processes, "WorkerProcesses", Several)
    return made


def run(*words: str) -> int:
    """The exit code of the script."""
    with pytest.raises(SystemExit) as left:
        cli.main(list(words))
    code = left.value.code
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize("words", [[], ["run"], ["--processes", "1"]])
def test_worker_unit_run_command_runs_one_worker_itself(calls: list[tuple[Any, ...]], words: list[str]) -> None:
    """One process needs no parent."""
    assert run(*words) == 5
    assert calls == [("one", ["worker"], {"worker.processes": "1"} if "--processes" in words else {}, None)]


def test_worker_unit_run_command_starts_several_with_names(calls: list[tuple[Any, ...]], tmp_path: Path) -> None:
    """Each gets the same settings, a name of its own, and the pipe that tells it of its parent's end."""
    words = [
        "--config-dir",
        str(tmp_path),
        "--set",
        "worker.worker_id=w",
        "--set",
        "worker.batch_size_max=9",
        "--processes",
        "3",
    ]
    assert run(*words) == 6
    ((_, name, count, command),) = calls
    assert (name, count) == ("w", 3)
    assert command == [
        sys.executable, "-P", "-m", "scheduler_worker.cli", "run", "--lifeline", "7", "--config-dir", str(tmp_path),
        "--set", "worker.worker_id=w-2", "--set", "worker.batch_size_max=9", "--set", "worker.processes=3",
    ]  # fmt: skip


def test_worker_unit_run_command_reads_how_many_there_are(
    calls: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the configuration, and each parent makes up a name that no other has."""
    monkeypatch.setenv("SCHEDULER_WORKER__PROCESSES", "2")
    assert run() == run() == 6
    assert [call[2] for call in calls] == [2, 2]
    assert calls[0][1] != calls[1][1]


def test_worker_unit_run_command_leaves_bad_settings_to_the_component(calls: list[tuple[Any, ...]]) -> None:
    """They are told where all settings are."""
    assert run("--processes", "0") == 5


def test_worker_unit_run_command_one_of_several_starts_no_others(
    calls: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds on to its parent and is the worker."""
    monkeypatch.setenv("SCHEDULER_WORKER__PROCESSES", "2")
    theirs, own = os.pipe()
    held: list[int] = []
    monkeypatch.setattr("scheduler_worker.lifeline.hold_lifeline", held.append)
    assert run("run", "--lifeline", str(theirs)) == 5
    assert held == [theirs]
    os.close(own)
    os.close(theirs)


def test_worker_unit_lifeline_ends_the_process_with_its_parent() -> None:
    """The end of the pipe is as good as SIGTERM, and no program started meanwhile keeps the pipe."""
    program = (
        "import os, signal, subprocess, sys, threading\n"
        "from scheduler_worker.lifeline import hold_lifeline\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('told', flush=True), os._exit(3)))\n"
        "hold_lifeline(int(sys.argv[1]))\n"
        "print(os.get_inheritable(int(sys.argv[1])), flush=True)\n"
        "signal.pause()\n"
    )
    theirs, own = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", program, str(theirs)], pass_fds=(theirs,), stdout=subprocess.PIPE, text=True
    ) as child:
        os.close(theirs)
        assert child.stdout is not None
        is_inheritable = child.stdout.readline()
        os.close(own)
        assert (is_inheritable, child.stdout.read()) == ("False\n", "told\n")
        assert child.wait(20) == 3
