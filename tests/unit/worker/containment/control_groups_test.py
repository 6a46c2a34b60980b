"""Groups that are in an odd state do not end the supervisor."""

from pathlib import Path

from scheduler_worker.containment.control_groups import ControlGroups, Leaf


class Groups(ControlGroups):
    """Groups in a directory of the test, with as many idle leaves as are kept."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._own = Leaf(f"{path}/supervisor")
        self._idle = [Leaf(f"{path}/idle")] * 64


def test_give_back_removes_what_a_job_has_made_below(tmp_path: Path) -> None:
    """A leaf in which a job has made groups of its own goes with them."""
    (tmp_path / "run-1" / "inner").mkdir(parents=True)

    Groups(tmp_path).give_back(Leaf(f"{tmp_path}/run-1"))

    assert not (tmp_path / "run-1").exists()


def test_take_gives_no_leaf_that_somebody_has_removed(tmp_path: Path) -> None:
    """A job that removes idle groups keeps no other from being started: a new one is made."""
    groups = Groups(tmp_path)
    groups._made = 0

    assert groups.take().path == f"{tmp_path}/run-1"


def test_a_group_that_somebody_has_removed_has_no_strangers(tmp_path: Path) -> None:
    """What cannot be read any more is empty."""
    assert Groups(tmp_path).strangers() == []
