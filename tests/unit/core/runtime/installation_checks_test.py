"""What the doctor sees by itself."""

import os
from pathlib import Path

import pytest

from scheduler_core.config import Settings
from scheduler_core.runtime.installation_checks import config_results, state_dir_results


def results(path: Path) -> dict[str, bool]:
    """Name to verdict."""
    return {result.name: result.ok for result in state_dir_results(Settings.of(state_dir=path))}


def test_state_dir_results_accept_a_private_directory(tmp_path: Path) -> None:
    """Made or not made yet, a place that can be used is fine."""
    state = tmp_path / "state"
    assert results(state)["state directory"]
    state.mkdir(mode=0o700)
    assert results(state)["state directory privacy"]


def test_state_dir_results_refuse_an_open_directory(tmp_path: Path) -> None:
    """A directory that others can list is named with the command that closes it."""
    tmp_path.chmod(0o755)
    found = {result.name: result for result in state_dir_results(Settings.of(state_dir=tmp_path))}
    assert not found["state directory privacy"].ok
    assert "chmod 7" in found["state directory privacy"].remedy


def test_state_dir_results_refuse_a_place_that_cannot_be_made(tmp_path: Path) -> None:
    """A file in the way is found."""
    (tmp_path / "file").touch()
    assert not results(tmp_path / "file" / "state")["state directory"]


def test_state_dir_results_of_root_need_a_way_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root learns which directory keeps PostgreSQL's uid out."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    tmp_path.chmod(0o700)
    found = {result.name: result for result in state_dir_results(Settings.of(state_dir=tmp_path / "state"))}
    assert not found["state directory passage"].ok
    assert "chmod o+x" in found["state directory passage"].remedy


@pytest.mark.parametrize(("mode", "ok"), [(0o600, True), (0o644, False)])
def test_config_results_look_at_the_secrets_file(tmp_path: Path, mode: int, ok: bool) -> None:
    """A secrets file that others can read is found."""
    secrets = tmp_path / ".secrets.toml"
    secrets.touch()
    secrets.chmod(mode)
    settings = Settings({}, state_dir=tmp_path, config_dir=tmp_path)
    found = {result.name: result.ok for result in config_results(settings)}
    assert found["secrets file"] is ok
