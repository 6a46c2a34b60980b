"""What jobs leave in their directories is removed, and nothing outside of them is touched."""

import os
from pathlib import Path

import pytest

from scheduler_worker.containment import tree_removal
from scheduler_worker.containment.run_directories import RunDirectories


@pytest.mark.parametrize("is_root", [True, False])
def test_a_link_to_a_directory_goes_and_its_target_stays(
    is_root: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tree with links, as virtual environments have them, goes; where they lead nothing changes."""
    monkeypatch.setattr(os, "geteuid", lambda: 0 if is_root else 1000)
    target = tmp_path / "target"
    (target / "inner").mkdir(parents=True)
    target.chmod(0o750)
    tree = tmp_path / "tree"
    (tree / "folder").mkdir(parents=True)
    (tree / "lib64").symlink_to(target)
    (tree / "folder" / "link").symlink_to(target)

    tree_removal.remove_tree(str(tree))

    assert not tree.exists()
    assert (target / "inner").is_dir()
    assert target.stat().st_mode & 0o777 == 0o750


def test_an_unprivileged_worker_opens_what_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a job has made unreadable, its directory itself included, is made removable; root changes no modes."""
    tree = tmp_path / "tree"
    (tree / "closed").mkdir(parents=True)
    modes = []

    def keep_modes(path: str, *, ignore_errors: bool) -> None:
        assert ignore_errors
        modes.append([each.stat().st_mode & 0o777 for each in (Path(path), Path(path, "closed"))])

    monkeypatch.setattr("shutil.rmtree", keep_modes)
    for user in (0, 1000):
        (tree / "closed").chmod(0o000)
        tree.chmod(0o500)
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        tree_removal.remove_tree(str(tree))

    assert modes == [[0o500, 0o000], [0o700, 0o700]]


def test_a_run_directory_with_a_link_goes(tmp_path: Path) -> None:
    """The thread that removes directories is not ended by what it finds in one of them."""
    directories = RunDirectories("token")
    directories.base = tmp_path / "runs"
    directory = directories.make("1-1")
    (directory.path / "lib64").symlink_to(tmp_path)
    directory.close_report()

    directory.remove()

    assert not directory.path.exists()
