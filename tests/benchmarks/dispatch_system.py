"""A system of real processes for the figures of dispatch, and a store beside it that makes tasks and runs in bulk."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
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

UNFINISHED = "SELECT count(*) FROM scheduler.task_runs WHERE status IN ('PENDING', 'DISPATCHED', 'RUNNING')"


class DispatchSystem:
    """Database and API in one process, one dispatcher, and workers that can be killed and started again."""

    def __init__(self, processes: SchedulerProcesses, places: int, **settings: str) -> None:
        self.processes = processes
        self.environment = {
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "SCHEDULER_WORKER__ALLOW_ROOT": "true",
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
        wait_until(lambda: self.number(alive) == count, 60, f"{count} live workers")

    def wait_until_finished(self, seconds: float = 300) -> None:
        """Return when no run is left."""
        wait_until(lambda: self.number(UNFINISHED) == 0, seconds, "all runs are final")

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


@contextmanager
def dispatch_system(places: int, **settings: str) -> Iterator[DispatchSystem]:
    """A system in a directory of its own, which is gone afterwards."""
    with TemporaryDirectory(prefix="scheduler-bench-", dir="/tmp", ignore_cleanup_errors=True) as directory:
        processes = SchedulerProcesses(Path(directory))
        try:
            yield DispatchSystem(processes, places, **settings)
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
