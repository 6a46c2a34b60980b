"""The console script of one component."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scheduler_core.runtime import component_script
from scheduler_core.runtime.command_group import CommandGroup
from scheduler_core.runtime.component_script import run_component_script


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Sequence[str], dict[str, Any]]]:
    """What the script asks to be run."""
    made: list[tuple[Sequence[str], dict[str, Any]]] = []

    def run_components(names: Sequence[str], **options: Any) -> int:
        made.append((names, options))
        return 5

    monkeypatch.setattr(component_script, "run_components", run_components)
    return made


@pytest.mark.parametrize("argv", [[], ["run"]])
def test_run_component_script_runs_the_component(calls: list[Any], argv: list[str]) -> None:
    """Without a word, or with `run`, it runs and gives back the exit code."""
    assert run_component_script("worker", argv) == 5
    assert calls == [(["worker"], {"flags": {}, "config_dir": None})]


def test_run_component_script_passes_settings_on(calls: list[Any]) -> None:
    """--set may come several times, its value is kept to the last character, and the last for one key wins."""
    argv = ["--config-dir", "/etc/x", "--set", "worker.a=1", "--set", "worker.b=x=y ", "--set", "worker.a=2"]
    run_component_script("worker", argv)
    assert calls == [
        (["worker"], {"flags": {"worker.a": "2", "worker.b": "x=y "}, "config_dir": Path("/etc/x")}),
    ]


def test_run_component_script_tells_its_version(calls: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    """--version names the distribution and starts nothing."""
    assert run_component_script("worker", ["--version"]) == 0
    assert capsys.readouterr().out.startswith("scheduler-worker ")
    assert calls == []


def test_run_component_script_refuses_what_it_does_not_know(
    calls: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong option is code 2 and starts nothing."""
    assert run_component_script("worker", ["--sett", "a.b=1"]) == 2
    assert run_component_script("worker", ["--set", "nonsense"]) == 2
    assert calls == []
    assert "section.key=value" in capsys.readouterr().err


def test_run_component_script_offers_further_commands(calls: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    """A package can add words, which are imported when used."""
    extra = CommandGroup("clock", "scheduler_core.runtime.system_clock:nothing", "Tell the time.")
    assert run_component_script("worker", ["--help"], commands=[extra]) == 0
    assert "Tell the time." in capsys.readouterr().out


def test_run_component_script_leaves_running_to_who_knows_better(calls: list[Any]) -> None:
    """A component that has options of its own runs itself, without a word and with `run`."""
    given: list[int] = []

    def run(*, count: int = 1) -> int:
        """Run it so often."""
        given.append(count)
        return 7

    assert run_component_script("worker", ["--count", "3"], run=run) == 7
    assert run_component_script("worker", ["run"], run=run) == 7
    assert (given, calls) == ([3, 1], [])
