"""Where state lives and how it is protected."""

import os
import stat
from pathlib import Path

import pytest

from scheduler_core.config import find_state_dir
from scheduler_core.config.state_dir import ROOT_STATE_DIR, prepare_state_dir, untraversable_parent
from scheduler_core.errors import ConfigError


def test_find_state_dir_follows_the_variable() -> None:
    """SCHEDULER_STATE_DIR decides, and the answer is absolute."""
    assert find_state_dir({"SCHEDULER_STATE_DIR": "/x/y"}) == Path("/x/y")
    assert find_state_dir({"SCHEDULER_STATE_DIR": "y"}) == Path.cwd() / "y"


@pytest.mark.parametrize(("uid", "is_root_place"), [(0, True), (1000, False)])
def test_find_state_dir_depends_on_the_user(monkeypatch: pytest.MonkeyPatch, uid: int, is_root_place: bool) -> None:
    """Root's state is where another uid can go, a user's below the home directory."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert (find_state_dir({}) == ROOT_STATE_DIR) is is_root_place


@pytest.mark.parametrize(("uid", "mode"), [(0, 0o711), (1000, 0o700)])
def test_prepare_state_dir_makes_it_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int, mode: int
) -> None:
    """Others cannot list it; below root they can pass through, as PostgreSQL's uid must."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    path = tmp_path / "a" / "state"
    prepare_state_dir(path)
    prepare_state_dir(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_prepare_state_dir_refuses_what_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that cannot be made or written to is named with the remedy."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be created.*SCHEDULER_STATE_DIR"):
        prepare_state_dir(tmp_path / "file" / "state")
    with pytest.raises(ConfigError, match=r"cannot be created"):
        prepare_state_dir(tmp_path / "file")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigError, match=r"not writable for uid"):
        prepare_state_dir(tmp_path)


def test_untraversable_parent_names_the_directory_that_is_closed(tmp_path: Path) -> None:
    """The topmost directory that keeps others out is found."""
    closed = tmp_path / "closed"
    (closed / "state").mkdir(parents=True)
    for directory in [*reversed(tmp_path.parents), tmp_path]:
        if not directory.stat().st_mode & stat.S_IXOTH:
            assert untraversable_parent(closed / "state") == directory
            return
    closed.chmod(0o700)
    assert untraversable_parent(closed / "state") == closed
    closed.chmod(0o711)
    assert untraversable_parent(closed / "state") is None
