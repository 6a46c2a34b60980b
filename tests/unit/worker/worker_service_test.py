"""A worker goes on wherever it was started."""

from pathlib import Path

import pytest

from scheduler_worker.worker_service import _working_directory


def test_worker_unit_working_directory_may_have_been_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose working directory is removed opens sessions all the same, and tells of the disk of /."""
    place = tmp_path / "gone"
    place.mkdir()
    monkeypatch.chdir(place)
    before = _working_directory()
    place.rmdir()

    assert (before, _working_directory()) == (place, Path("/"))
