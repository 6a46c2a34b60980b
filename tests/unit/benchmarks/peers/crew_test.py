"""Worker processes are ended with all that they started."""

import sys
import time
from pathlib import Path

import pytest

from benchmarks.peers.crew import Crew

_STUBBORN = """
import signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_benchmarks_unit_a_crew_leaves_no_process_behind(tmp_path: Path) -> None:
    """Children, too, which nobody asked to end; they were weighed before."""
    crew = Crew(tmp_path / "log")
    crew.start([[sys.executable, "-c", _STUBBORN]])
    deadline = time.monotonic() + 30
    while not crew.tail().strip() and time.monotonic() < deadline:
        time.sleep(0.02)
    child = Path(f"/proc/{crew.tail().strip()}")
    try:
        crew.check()
        assert crew.memory_mib() > 1
        assert crew.cpu_seconds() > 0
    finally:
        crew.stop()
    while child.exists() and "Z" not in (child / "stat").read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not child.exists() or "Z" in (child / "stat").read_text()


def test_benchmarks_unit_a_worker_that_ended_is_told_with_what_it_said(tmp_path: Path) -> None:
    """So that nobody waits for jobs that no one will do."""
    crew = Crew(tmp_path / "log")
    crew.start([[sys.executable, "-c", "import sys; sys.exit('no queue')"]])
    try:
        with pytest.raises(RuntimeError, match="ended with 1: no queue"):
            _check_for(crew, 30)
    finally:
        crew.stop()


def _check_for(crew: Crew, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        crew.check()
        time.sleep(0.02)
