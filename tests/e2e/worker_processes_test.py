"""Several worker processes under one parent, as a service manager starts them."""

import os
import signal
import socket
from pathlib import Path

from fixtures.processes import SchedulerProcesses, wait_until
from fixtures.site import Site


def alive(site: Site) -> dict[str, int]:
    """Process ids of the live workers by their ids."""
    body = site.processes.request("GET", "/api/v1/workers").body
    return {worker["worker_id"]: worker["pid"] for worker in body["items"] if worker["state"] == "ALIVE"}


def told(listener: socket.socket) -> list[str]:
    """What the service manager has been told since it last looked, but for the watchdog."""
    found: list[str] = []
    while True:
        try:
            found += [line for line in listener.recv(4096).decode().split("\n") if line != "WATCHDOG=1"]
        except BlockingIOError:
            return found


def gone(pid: int) -> bool:
    """Whether no such process runs."""
    return not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes()


def test_worker_processes_live_and_end_together(scheduler_processes: SchedulerProcesses, tmp_path: Path) -> None:
    """Each is a worker of its own, a killed one comes back, the manager is told, and none outlives the parent."""
    site = Site(scheduler_processes)
    scheduler_processes.start_up("--only", "postgresql,api")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + (name := f"scheduler-test-{os.getpid()}"))
        listener.setblocking(False)
        environment = {"SCHEDULER_WORKER__WORKER_ID": "w", "NOTIFY_SOCKET": f"@{name}"}
        parent = scheduler_processes.start("scheduler-worker", "--processes", "2", env=environment)
        wait_until(lambda: alive(site).keys() == {"w-1", "w-2"}, 30, "two workers", describe=parent.tail)
        first = alive(site)
        wait_until(lambda: "READY=1" in told(listener), 10, "READY", describe=parent.tail)
        assert first["w-1"] != first["w-2"]
        os.kill(first["w-1"], signal.SIGKILL)
        wait_until(lambda: alive(site).get("w-1", first["w-1"]) != first["w-1"], 20, "w-1 is back")
        pids = alive(site).values()
        # However it ends, it takes them with it, and they say goodbye.
        parent.kill()
        wait_until(lambda: all(gone(pid) for pid in pids), 20, "the processes end with their parent")
    assert alive(site) == {}
