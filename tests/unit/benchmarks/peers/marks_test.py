"""When jobs began, as all processes of a measurement see it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.peers.environments import ROOT
from benchmarks.peers.marks import Marks, mark_due, shared_marks


@pytest.fixture
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Marks:
    """A file of marks that this process shares."""
    monkeypatch.setenv("PEER_MARKS", "")  # put back afterwards
    shared_marks.cache_clear()
    return Marks.create(tmp_path / "marks")


def test_benchmarks_unit_a_mark_of_another_process_is_seen(marks: Marks) -> None:
    """Workers mark, who measures reads."""
    began = time.time()
    program = "from benchmarks.peers.marks import mark; mark(2)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT / "tests", check=True, timeout=60)
    assert (marks.count(2), marks.count(3)) == (0, 1)
    (seen,) = marks.times(3)
    assert began <= seen == marks.time(2) <= time.time()
    marks.clear()
    assert marks.times(3) == []


def test_benchmarks_unit_a_scheduled_job_counts_once_and_not_before_its_time(marks: Marks) -> None:
    """What a system makes up for, or does again in the next minute, is no start of that second."""
    mark_due(0, time.time() + 60)
    assert marks.count(1) == 0
    mark_due(0, time.time() - 60)
    first = marks.time(0)
    mark_due(0, time.time() - 60)
    assert marks.time(0) == first > 0
