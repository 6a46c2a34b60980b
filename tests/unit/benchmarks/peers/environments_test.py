"""Environments of measured systems are made once for each set of versions."""

from pathlib import Path

import pytest

from benchmarks.peers import environments
from benchmarks.peers.catalogue import PINS


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What would have been run; making an environment makes its Python."""
    run: list[tuple[str, ...]] = []

    def record(*command: str) -> str:
        run.append(command)
        if command[1] == "venv":
            python = Path(command[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch()
        return "uv\n"

    monkeypatch.setattr(environments, "_run", record)
    return run


def test_benchmarks_unit_an_environment_is_made_anew_when_versions_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands: list[tuple[str, ...]]
) -> None:
    """What is there with the right versions is used as it is, without a look at the network."""
    python = environments.python_of("huey", tmp_path)
    assert python == tmp_path / "huey" / "bin" / "python"
    assert commands[-1] == ("uv", "pip", "install", "--quiet", "--python", str(python), *PINS["huey"])
    commands.clear()
    environments.python_of("huey", tmp_path)
    assert commands == []
    monkeypatch.setattr(environments, "PINS", {"huey": ("huey==9",)})
    environments.python_of("huey", tmp_path)
    assert commands[-1][-1] == "huey==9"


def test_benchmarks_unit_an_environment_that_could_not_be_filled_is_not_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands: list[tuple[str, ...]]
) -> None:
    """The next run tries again."""
    recorded = environments._run

    def fail(*command: str) -> str:
        if command[1] == "pip":
            raise RuntimeError("no network")
        return recorded(*command)

    monkeypatch.setattr(environments, "_run", fail)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no network"):
            environments.python_of("huey", tmp_path)
