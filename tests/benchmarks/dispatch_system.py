"""A system of real processes for the figures of dispatch, and a store beside it that makes tasks and runs in bulk."""

import json
import random
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from fixtures.factories import build_definition
from fixtures.processes import RunningProcess, SchedulerProcesses, wait_until
from scheduler_core.decisions.flow_rules import plan_flow
from scheduler_core.interfaces import Store
from scheduler_core.models import FlowRequest, RunTrigger, Task
from scheduler_infra.database import DatabaseConfig, open_store, resolve_url

Figures = dict[str, Any]
_UNFINISHED = "SELECT EXISTS (SELECT FROM scheduler.task_runs WHERE status IN ('PENDING', 'DISPATCHED', 'RUNNING'))"
_LAST_UNFINISHED = (
    "SELECT coalesce((SELECT completed_at IS NULL FROM scheduler.task_runs ORDER BY id DESC LIMIT 1), false)"
)

_BUSY = """
SELECT DISTINCT session.pid FROM scheduler.worker_sessions AS session
JOIN scheduler.task_runs AS run ON run.session_id = session.id AND run.status = 'RUNNING'
WHERE session.state = 'ALIVE'
"""


class DispatchSystem:
    """Database and API in one process, one dispatcher, and workers that can be killed and started again."""

    def __init__(self, processes: SchedulerProcesses, places: int, **settings: str) -> None:
        self.processes = processes
        self.lines = processes.work_dir / "lines"
        self.lines.touch()
        self.environment = {
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "BENCHMARK_LINES": str(self.lines),
            "SCHEDULER_WORKER__ALLOW_ROOT": "true",
            "SCHEDULER_WORKER__SHELL_ENABLED": "true",
            "SCHEDULER_WORKER__MAX_CONCURRENT_TASKS": str(places),
            **settings,
        }
        processes.start_up("--only", "postgresql,api")
        self.url = resolve_url(DatabaseConfig(), processes.state_dir)
        self.dispatcher = processes.start("scheduler-dispatcher", env=self.environment)

    def start_worker(self, **env: str) -> RunningProcess:
        """One more worker."""
        return self.processes.start("scheduler-worker", env={**self.environment, **env})

    def wait_for_workers(self, count: int) -> None:
        """Return when so many are alive."""
        alive = "SELECT count(*) FROM scheduler.worker_sessions WHERE state = 'ALIVE'"
        wait_until(lambda: self.number(alive) == count, 90, f"{count} live workers")

    def has_unfinished(self) -> bool:
        """Whether a run is left; the newest one is looked at first, so that asking while they run costs nothing."""
        return bool(self.number(_LAST_UNFINISHED) or self.number(_UNFINISHED))

    def wait_until_finished(self, seconds: float = 300) -> None:
        """Return when no run is left."""
        wait_until(lambda: not self.has_unfinished(), seconds, "all runs are final")

    def started_since(self, task_id: int, since: datetime) -> int:
        """How many runs of a task have been started after that moment of the database's clock."""
        started: int = self.number(
            "SELECT count(*) FROM scheduler.task_runs WHERE task_id = %(task_id)s AND started_at > %(since)s",
            task_id=task_id,
            since=since,
        )
        return started

    def ring(self) -> None:
        """What the API does for a trigger: rings for whoever has something to do."""
        self.rows("SELECT pg_notify('status_updates', '{\"ring\":\"look\"}')")
        self.rows(
            "SELECT pg_notify('tasks.session-' || id, '{\"ring\":\"look\"}') FROM scheduler.worker_sessions "
            "WHERE state = 'ALIVE'"
        )

    def rows(self, statement: str, **parameters: Any) -> list[Any]:
        """What a statement answers."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def execute(self, *statements: str) -> None:
        """Carry out statements that answer nothing."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def number(self, statement: str, **parameters: Any) -> Any:
        """The first value that a statement answers."""
        return self.rows(statement, **parameters)[0][0]

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """A store beside those of the processes."""
        store = await open_store(
            DatabaseConfig(url=self.url),
            state_dir=self.processes.work_dir,
            application_name="benchmark",
            # As the workers' own.
            keeps_plans=True,
        )
        try:
            yield store
        finally:
            await store.close()


class Killer:
    """So many workers, of which one after another is killed with SIGKILL while another one takes its place."""

    def __init__(self, system: DispatchSystem, rng: random.Random, workers: int) -> None:
        self._system = system
        self._rng = rng
        self._workers = [system.start_worker() for _ in range(workers)]
        self.killed_at: dict[int, datetime] = {}

    @property
    def kills(self) -> int:
        """How many have been killed."""
        return len(self.killed_at)

    def kill_one(self) -> None:
        """After a while kill one that runs something, and start another; nothing happens where none does."""
        time.sleep(self._rng.uniform(0.1, 0.5))
        busy = {pid for (pid,) in self._system.rows(_BUSY)}
        places = [place for place, worker in enumerate(self._workers) if worker.pid in busy]
        if not places:
            return
        place = self._rng.choice(places)
        victim = self._workers[place]
        victim.kill()
        self.killed_at[victim.pid] = datetime.now(UTC)
        self._workers[place] = self._system.start_worker()


@contextmanager
def dispatch_system(places: int, *, broker_url: str = "", **settings: str) -> Iterator[DispatchSystem]:
    """A system in a directory of its own, which is gone afterwards; it rings over PostgreSQL or over this broker."""
    with TemporaryDirectory(prefix="scheduler-bench-", dir="/tmp", ignore_cleanup_errors=True) as directory:
        processes = SchedulerProcesses(Path(directory))
        if broker_url:
            processes.environment["SCHEDULER_MESSAGE_QUEUE__URL"] = broker_url
        with running_system(processes, places, **settings) as system:
            yield system


@contextmanager
def running_system(processes: SchedulerProcesses, places: int, /, **settings: str) -> Iterator[DispatchSystem]:
    """A system of these processes, all of which are ended afterwards."""
    try:
        yield DispatchSystem(processes, places, **settings)
        # Workers that lose their database while they stop would wait for its return.
        for process in processes.started[1:]:
            if process.is_running:
                process.send(signal.SIGTERM)
        for process in processes.started[1:]:
            process.wait()
    finally:
        processes.end_all()


async def make_task(store: Store, job: str = "no_op", **fields: Any) -> Task:
    """A python task with a job of the benchmarks."""
    parameters = {"callable": f"benchmarks.benchmark_tasks:{job}", **fields.pop("parameters", {})}
    async with store.transaction() as work:
        (task,) = await work.tasks.create(
            [build_definition(task_type="python", parameters=parameters, **fields)], [None]
        )
    return task


async def make_runs(store: Store, task: Task, count: int, *, background: bool = False, **parameters: Any) -> None:
    """So many runs of a task, with these parameters over its own."""
    async with store.transaction() as work:
        graph = await work.tasks.lock_graph_of([task.id])
        await work.task_runs.create_flows(
            [
                FlowRequest(
                    plan=plan_flow(graph, task.id),
                    trigger=RunTrigger.MANUAL,
                    copies=count,
                    background=background,
                    parameters=json.dumps(parameters) if parameters else None,
                )
            ]
        )
