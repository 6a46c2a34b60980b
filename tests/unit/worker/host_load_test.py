"""What a worker tells of its host."""

import os
import subprocess
from pathlib import Path

import pytest

from scheduler_worker.host_load import HostLoad

_STAT = "cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 1 1 1\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A host that is told by files."""
    files = {
        "stat": _STAT.format(busy=100, idle=100),
        "loadavg": "1.25 0.80 0.50 2/345 6789\n",
        "meminfo": "MemTotal:       4096 kB\nMemFree:         100 kB\nMemAvailable:   1024 kB\nHugePages_Total: 0\n",
        "self/statm": "900 10 5 1 0 50 0\n",
        "self/task/1/children": "20 30 \n",
        "20/task/20/children": "40\n",
        "40/task/40/children": "\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="ascii")
    return tmp_path


def test_worker_unit_host_load_tells_numbers_by_name(proc: Path) -> None:
    """Bytes, shares and counts as the system tells them; 30 has ended and is counted where it was seen."""
    found = HostLoad(proc, proc=proc).look()
    assert {name: found.pop(name) for name in ("disk_bytes_total", "disk_bytes_free")}.keys() == {
        "disk_bytes_total",
        "disk_bytes_free",
    }
    assert found.pop("own_threads") >= 1
    assert found == {
        "load_average": 1.25,
        "memory_bytes_total": 4096 * 1024.0,
        "memory_bytes_used": 3072 * 1024.0,
        "memory_bytes_available": 1024 * 1024.0,
        "own_memory_bytes": 10.0 * os.sysconf("SC_PAGE_SIZE"),
        "child_processes": 3.0,
    }


@pytest.mark.parametrize(
    ("busy", "idle", "share"), [(130, 110, 0.75), (100, 200, 0.0), (300, 100, 1.0), (99, 101, None)]
)
def test_worker_unit_host_load_tells_the_share_since_the_last_look(
    proc: Path, busy: int, idle: int, share: float | None
) -> None:
    """Of all cores' time; where no time has passed there is none."""
    load = HostLoad(proc, proc=proc)
    assert "cpu_share" not in load.look()
    (proc / "stat").write_text(_STAT.format(busy=busy, idle=idle), encoding="ascii")
    assert load.look().get("cpu_share") == share


def test_worker_unit_host_load_leaves_out_what_is_not_told(tmp_path: Path) -> None:
    """A system without these files, or with others in their place, gives fewer numbers and no error."""
    (tmp_path / "stat").write_text("intr 5\n", encoding="ascii")
    (tmp_path / "meminfo").write_text("MemTotal: many\n", encoding="ascii")
    assert HostLoad(tmp_path / "gone", proc=tmp_path).look() == {}


def test_worker_unit_host_load_counts_the_children_of_this_process() -> None:
    """On a real system, those below children included."""
    load = HostLoad(Path.cwd())
    before = load.look()["child_processes"]
    with subprocess.Popen(["sh", "-c", "sleep 30 & echo started; wait"], stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        during = load.look()["child_processes"]
        subprocess.run(["pkill", "-P", str(shell.pid)], check=True)
    assert during == before + 2
