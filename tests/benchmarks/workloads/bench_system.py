"""The system that workloads measure: API and database, one dispatcher, two workers, by their console scripts."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from benchmarks.dispatch_system import DispatchSystem, running_system
from benchmarks.workloads.start_marks import VARIABLE, StartMarks
from fixtures.broker import RabbitMQServer
from fixtures.processes import SchedulerProcesses, wait_until

WORKERS = 2
_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
NO_OP = "benchmarks.benchmark_tasks:no_op"

_COUNTS = """
SELECT count(*) AS runs,
       count(*) FILTER (WHERE status = 'COMPLETED') AS completed,
       count(*) FILTER (WHERE attempt <> 1 OR started_at IS NULL OR session_id IS NULL) AS odd,
       count(DISTINCT session_id) AS sessions,
       extract(epoch FROM min(started_at))::float AS started,
       extract(epoch FROM max(completed_at))::float AS ended
FROM scheduler.task_runs WHERE task_id = %(task_id)s AND id > %(after)s
"""
_WORKERS_AT_ONCE = 10
_NEWEST = "SELECT coalesce(max(id), 0) FROM scheduler.task_runs"


class Recount(NamedTuple):
    """What the rows say of runs that have all completed at their first attempt."""

    sessions: int
    started: float
    ended: float


class BenchSystem:
    """A running system and what all workloads ask of it."""

    def __init__(self, system: DispatchSystem, marks: StartMarks) -> None:
        self.system = system
        self.processes = system.processes
        self.url = system.url
        self.marks = marks

    def create_task(self, name: str, job: str = NO_OP, **fields: Any) -> int:
        """Store a python task over the API; its id."""
        body = {"name": name, "task_type": "python", "parameters": {"callable": job}, **fields}
        answer = self.processes.request("POST", "/api/v1/tasks", body)
        assert answer.status == 201, answer
        task_id: int = answer.body["id"]
        return task_id

    def trigger(self, name: str, count: int) -> list[int]:
        """Ask for so many runs in one request; their ids."""
        answer = self.processes.request("POST", f"/api/v1/tasks/{name}/trigger", {"count": count})
        assert answer.status in (200, 201), answer
        return [item["id"] for item in answer.body.get("items", [answer.body])]

    def warm_up(self, name: str, count: int = 16) -> None:
        """Let workers load what a job needs."""
        for run_id in self.trigger(name, count):
            self.processes.wait_for_run(run_id)

    def warm_up_workers(self, job: str = NO_OP) -> None:
        """Let each worker carry out this job once, whichever would have taken it."""
        self.create_task("every-worker", job, broadcast=True)
        self.warm_up("every-worker", 1)

    def newest_run(self) -> int:
        """The greatest id of a run so far."""
        newest: int = self.system.number(_NEWEST)
        return newest

    def recount(self, task_id: int, after: int, runs: int, seconds: float = 300) -> Recount:
        """Wait until the runs of a task beyond that id are there and completed; AssertionError unless each at once.

        They are counted only when no run is left: counting takes longer than carrying out thousands.
        """

        def counts() -> Any:
            return self.system.rows(_COUNTS, task_id=task_id, after=after)[0]

        def are_completed() -> bool:
            return not self.system.has_unfinished() and counts()[1] >= runs

        wait_until(are_completed, seconds, f"{runs} completed runs", describe=lambda: str(counts()))
        found, completed, odd, sessions, started, ended = counts()
        assert (found, completed, odd) == (runs, runs, 0), f"runs, completed, odd: {found, completed, odd}"
        return Recount(sessions, started, ended)


@contextmanager
def bench_system(
    *, workers: int = WORKERS, places: int = 500, rabbitmq: bool = False, **settings: str
) -> Iterator[BenchSystem]:
    """A new system with live workers, gone afterwards; with `rabbitmq` it rings over a node of its own."""
    with ExitStack() as stack:
        directory = Path(
            stack.enter_context(TemporaryDirectory(prefix="scheduler-bench-", dir="/tmp", ignore_cleanup_errors=True))
        )
        processes = SchedulerProcesses(directory)
        if rabbitmq:
            processes.environment["SCHEDULER_MESSAGE_QUEUE__URL"] = stack.enter_context(_broker(directory))
        marks = directory / "marks"
        found = StartMarks(marks)
        system = stack.enter_context(running_system(processes, places, **{VARIABLE: str(marks), **settings}))
        for number in range(1, workers + 1):
            system.start_worker()
            if number % _WORKERS_AT_ONCE == 0 or number == workers:
                system.wait_for_workers(number)
        yield BenchSystem(system, found)


@contextmanager
def _broker(directory: Path) -> Iterator[str]:
    assert _RABBITMQ.exists(), "RabbitMQ is not installed: apt-get install rabbitmq-server"
    folder = directory / "rabbitmq"
    folder.mkdir()
    server = RabbitMQServer(folder)
    try:
        server.start()
        yield server.url
    finally:
        server.stop()
