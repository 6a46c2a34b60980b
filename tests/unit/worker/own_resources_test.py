"""What a worker reports of its machine by itself."""

import os
from pathlib import Path

import pytest

from scheduler_worker import own_resources as module
from scheduler_worker.own_resources import own_resources

GIB = 1024.0**3


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of eight cores and 64 GiB."""
    monkeypatch.setattr(module, "_usable_cores", lambda: 8.0)
    monkeypatch.setattr(module, "_machine_memory", lambda: 64 * GIB)


def write(path: Path, text: str) -> None:
    """A file and its directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def reported(root: Path) -> tuple[float, float]:
    """Cores and GiB of a process whose /proc and control groups are below a directory."""
    found = own_resources(root, proc=root / "proc", cgroups=root / "cgroups")
    return found["cpu"], found["memory"] / GIB


def test_worker_unit_own_resources_are_the_machine_without_groups(tmp_path: Path) -> None:
    """Where there are no control groups, or none that limits, all of the machine counts."""
    assert reported(tmp_path) == (8.0, 64.0)
    write(tmp_path / "proc/self/cgroup", "0::/user.slice\n")
    write(tmp_path / "cgroups/user.slice/cpu.max", "max 100000\n")
    write(tmp_path / "cgroups/user.slice/memory.max", "max\n")
    assert reported(tmp_path) == (8.0, 64.0)


def test_worker_unit_own_resources_keep_to_every_group_above(tmp_path: Path) -> None:
    """Version 2: the tightest of the own group and those around it counts."""
    write(tmp_path / "proc/self/cgroup", "0::/system.slice/scheduler.service\n")
    write(tmp_path / "cgroups/system.slice/scheduler.service/cpu.max", "250000 100000\n")
    write(tmp_path / "cgroups/system.slice/scheduler.service/memory.max", "max\n")
    write(tmp_path / "cgroups/system.slice/cpu.max", "400000 100000\n")
    write(tmp_path / "cgroups/system.slice/memory.max", str(int(4 * GIB)))
    assert reported(tmp_path) == (2.5, 4.0)


def test_worker_unit_own_resources_see_the_group_of_a_container(tmp_path: Path) -> None:
    """In a container the path may be the host's, while the tree begins at the container's own group."""
    write(tmp_path / "proc/self/cgroup", "0::/docker/0123\n")
    write(tmp_path / "cgroups/cpu.max", "50000 100000\n")
    write(tmp_path / "cgroups/memory.max", str(int(GIB)))
    assert reported(tmp_path) == (0.5, 1.0)


def test_worker_unit_own_resources_know_version_one(tmp_path: Path) -> None:
    """Version 1 has a tree for each controller, which may be named after several; -1 and huge numbers mean no limit."""
    write(tmp_path / "proc/self/cgroup", "4:memory:/job\n2:cpu,cpuacct:/job\n1:name=systemd:/\n")
    write(tmp_path / "cgroups/cpu,cpuacct/job/cpu.cfs_quota_us", "150000\n")
    write(tmp_path / "cgroups/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n")
    write(tmp_path / "cgroups/cpu,cpuacct/cpu.cfs_quota_us", "-1\n")
    write(tmp_path / "cgroups/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    write(tmp_path / "cgroups/memory/job/memory.limit_in_bytes", str(int(2 * GIB)))
    write(tmp_path / "cgroups/memory/memory.limit_in_bytes", "9223372036854771712\n")
    assert reported(tmp_path) == (1.5, 2.0)


def test_worker_unit_own_resources_leave_out_what_nobody_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken files say nothing, a directory that is gone has no disk, a system without the call no memory."""
    write(tmp_path / "proc/self/cgroup", "nonsense\n0::/job\n")
    write(tmp_path / "cgroups/job/cpu.max", "a lot\n")
    write(tmp_path / "cgroups/job/memory.max", "\n")
    assert reported(tmp_path) == (8.0, 64.0)
    monkeypatch.setattr(module, "_machine_memory", lambda: None)
    found = own_resources(tmp_path / "gone", proc=tmp_path / "proc", cgroups=tmp_path / "cgroups")
    assert found == {"cpu": 8.0}


def test_worker_unit_own_resources_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a real machine all three are there, and no more cores than it has."""
    monkeypatch.undo()
    found = own_resources(Path.cwd())
    assert found.keys() == {"cpu", "memory", "disk"}
    assert 0 < found["cpu"] <= (os.cpu_count() or 1)
    assert found["memory"] > 1024**2


def test_worker_unit_own_resources_are_shared_by_several_processes(tmp_path: Path) -> None:
    """Four worker processes do not offer the machine four times."""
    alone = own_resources(tmp_path, proc=tmp_path, cgroups=tmp_path)
    shared = own_resources(tmp_path, processes=4, proc=tmp_path, cgroups=tmp_path)
    assert (shared["cpu"], shared["memory"]) == (2.0, 16 * GIB)
    assert shared.keys() == alone.keys()
