"""The instants at which bodies begin."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.workloads import start_marks
from benchmarks.workloads.start_marks import VARIABLE, StartMarks, mark_start


async def test_benchmarks_unit_a_body_writes_its_instant_where_its_run_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its own run and of no other, ids beyond the file's size too."""
    marks = StartMarks(tmp_path / "marks")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "marks"))
    for run_id, instant in ((5, 1_700_000_000_250_000_000), (3_000_000_007, 1_700_000_001_000_000_000)):
        monkeypatch.setattr(start_marks, "current_run", lambda run_id=run_id: SimpleNamespace(run_id=run_id))
        monkeypatch.setattr("time.time_ns", lambda instant=instant: instant)
        await mark_start()
    found = [marks.seconds(run_id) for run_id in (5, 6, 3_000_000_007)]
    assert found == pytest.approx([1_700_000_000.25, 0.0, 1_700_000_001.0], rel=1e-15)
