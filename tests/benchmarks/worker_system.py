"""What the figures of workers share: a system whose jobs can be found among all processes of the machine."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.dispatch_system import DispatchSystem, dispatch_system

Figures = dict[str, Any]

TREE = "bash -c 'sleep 1000 & setsid sleep 1000 & wait'"
"""A job with a child in its group and one that has left it."""

_SYSTEM = "BENCHMARK_SYSTEM"
"""The variable that tells the jobs of one system from those of others on the same machine."""

QUICK_LEASE = {
    "SCHEDULER_WORKER__LEASE_SECONDS": "3",
    "SCHEDULER_WORKER__HEARTBEAT_INTERVAL_SECONDS": "1",
    "SCHEDULER_WORKER__KILL_GRACE_SECONDS": "0.2",
}


@contextmanager
def worker_system(places: int = 10, **settings: str) -> Iterator[DispatchSystem]:
    """A system that runs shell tasks and notices lost workers in seconds."""
    with dispatch_system(places, SCHEDULER_WORKER__SHELL_ENABLED="true", **{**QUICK_LEASE, **settings}) as system:
        yield system


def create_task(system: DispatchSystem, name: str, command: str, **fields: Any) -> None:
    """A shell task."""
    environment = {_SYSTEM: str(system.processes.directory)}
    parameters = {"command": command, "shell": True, "env": environment, **fields.pop("parameters", {})}
    body = {"name": name, "task_type": "shell", "parameters": parameters, **fields}
    answer = system.processes.request("POST", "/api/v1/tasks", body)
    assert answer.status == 201, answer


def trigger(system: DispatchSystem, name: str, count: int) -> list[int]:
    """So many runs of a task; their ids."""
    answer = system.processes.request("POST", f"/api/v1/tasks/{name}/trigger", {"count": count})
    assert answer.status in (200, 201), answer
    return [item["id"] for item in answer.body.get("items", [answer.body])]


def living(system: DispatchSystem, run_ids: Iterable[int]) -> dict[int, list[int]]:
    """The processes that belong to these runs by their environment, zombies left out; runs without any are missing."""
    own = f"{_SYSTEM}={system.processes.directory}".encode()
    wanted = {f"SCHEDULER_RUN_ID={run_id}".encode(): run_id for run_id in run_ids}
    found: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            variables = set((folder / "environ").read_bytes().split(b"\0"))
            if own in variables:
                for variable in variables & wanted.keys():
                    found.setdefault(wanted[variable], []).append(int(folder.name))
    return found


def seconds_until(condition: Callable[[], Any], seconds: float, what: str) -> float:
    """How long it took until the condition held, looked at every 10 ms; AssertionError after `seconds`."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"after {seconds:g} s still not: {what}"
        time.sleep(0.01)
    return time.monotonic() - began


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
