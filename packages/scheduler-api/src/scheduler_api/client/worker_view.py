"""What a worker says of itself and of its host, in words."""

from collections.abc import Iterator, Mapping
from typing import Any

from scheduler_api.client.dispatch_words import show_resources
from scheduler_api.client.human_time import show_age, show_instant
from scheduler_core.decisions.size_text import size_text

HEADINGS = (
    "SESSION", "WORKER", "HOST", "PID", "STATE", "BUSY", "QUEUES", "TYPES", "LAST HEARTBEAT", "VERSION", "TAGS",
    "RESOURCES",
)  # fmt: skip
WIDE_HEADINGS = ("PYTHON", "CPU", "LOAD", "MEMORY", "DISK FREE", "OWN MEMORY", "CHILDREN")
RUN_HEADINGS = ("RUN", "TASK", "NAMESPACE", "ATTEMPT", "STARTED", "STATE")


def worker_row(worker: Mapping[str, Any]) -> list[str]:
    """A line of `worker list`."""
    return [
        str(worker["id"]),
        str(worker["worker_id"]),
        str(worker["hostname"]),
        str(worker["pid"]),
        show_state(worker),
        f"{worker['running']} of {worker['places']}",
        ", ".join(worker["queues"]) or "-",
        ", ".join(worker["task_types"]) or "-",
        show_age(worker.get("last_heartbeat_at")),
        str(worker.get("version") or "-"),
        ", ".join(worker.get("tags", ())) or "-",
        show_resources(worker.get("resources", {})) or "-",
    ]


def wide_cells(worker: Mapping[str, Any]) -> list[str]:
    """What `worker list --wide` has beside that."""
    load: Mapping[str, float] = worker.get("load") or {}
    return [
        str(worker.get("python_version") or "-"),
        _cpu(load) or "-",
        f"{load['load_average']:.2f}" if "load_average" in load else "-",
        _memory(load) or "-",
        _disk(load) or "-",
        _size(load, "own_memory_bytes") or "-",
        f"{load['child_processes']:g}" if "child_processes" in load else "-",
    ]


def worker_fields(worker: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The lines of `worker show`, but for the runs."""
    return [pair for pair in _pairs(worker) if pair[1]]


def run_rows(worker: Mapping[str, Any]) -> list[list[str]]:
    """The runs that it holds."""
    return [
        [
            str(run["run_id"]),
            str(run["task_name"]),
            str(run["namespace"]),
            str(run["attempt"]),
            show_age(run["started_at"]),
            _run_state(run),
        ]
        for run in worker["runs"]
    ]


def show_state(worker: Mapping[str, Any]) -> str:
    """Its state, and whether it takes nothing new while it lives.

    >>> show_state({"state": "ALIVE", "draining": True, "drain_requested": False})
    'ALIVE, draining'
    """
    is_told = worker["state"] == "ALIVE" and worker.get("draining")
    return f"{worker['state']}, draining" if is_told else str(worker["state"])


def _run_state(run: Mapping[str, Any]) -> str:
    if run.get("cancel_requested"):
        return "RUNNING, being cancelled"
    return "RUNNING, paused" if run.get("paused_at") is not None else "RUNNING"


def _pairs(worker: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    load: Mapping[str, float] = worker.get("load") or {}
    yield "Worker", f"{worker['worker_id']} (session {worker['id']})"
    yield "Process", f"{worker['pid']} on {worker['hostname']}"
    yield "State", show_state(worker) + (" until `scheduler worker resume`" if worker.get("drain_requested") else "")
    yield "Busy", f"{worker['running']} of {worker['places']} places"
    yield "Queues", ", ".join(worker["queues"])
    yield "Types", ", ".join(worker["task_types"])
    yield "Tags", ", ".join(worker.get("tags", ()))
    yield "Resources", show_resources(worker.get("resources", {}))
    yield "Versions", _versions(worker)
    yield "CPU", _cpu(load)
    yield "Load", f"{load['load_average']:.2f}" if "load_average" in load else ""
    yield "Memory", _memory(load)
    yield "Disk", _disk(load)
    yield "Own memory", _size(load, "own_memory_bytes")
    yield "Children", f"{load['child_processes']:g}" if "child_processes" in load else ""
    yield "Started", show_instant(worker["started_at"])
    yield "Heartbeat", show_age(worker.get("last_heartbeat_at"))
    if worker.get("ended_at") is not None:
        yield "Ended", show_instant(worker["ended_at"])


def _versions(worker: Mapping[str, Any]) -> str:
    python = worker.get("python_version")
    return f"scheduler-worker {worker.get('version') or 'unknown'}" + (f", Python {python}" if python else "")


def _cpu(load: Mapping[str, float]) -> str:
    return f"{load['cpu_share']:.0%}" if "cpu_share" in load else ""


def _memory(load: Mapping[str, float]) -> str:
    if not load.keys() >= {"memory_bytes_used", "memory_bytes_total"}:
        return ""
    return f"{size_text(load['memory_bytes_used'])} of {size_text(load['memory_bytes_total'])}"


def _disk(load: Mapping[str, float]) -> str:
    if not load.keys() >= {"disk_bytes_free", "disk_bytes_total"}:
        return ""
    return f"{size_text(load['disk_bytes_free'])} free of {size_text(load['disk_bytes_total'])}"


def _size(load: Mapping[str, float], name: str) -> str:
    return size_text(load[name]) if name in load else ""
