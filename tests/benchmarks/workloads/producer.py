"""Makes runs as the API does, without HTTP: over the repository interface, and rings for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.workloads.bench_system import BenchSystem
from scheduler_api.single_runs import SingleRuns
from scheduler_api.work_ringer import WorkRinger
from scheduler_core.decisions.flow_rules import plan_flow
from scheduler_core.interfaces import Store
from scheduler_core.models import CreatedRun, FlowRequest, RunTrigger, SingleRun
from scheduler_infra.database import DatabaseConfig, open_store
from scheduler_infra.message_queue import MessageQueueConfig, open_message_queue


class Producer:
    """One process's connections to the store and to the doorbells."""

    def __init__(self, store: Store, ringer: WorkRinger) -> None:
        self.store = store
        self.ringer = ringer
        self._single_runs = SingleRuns(store, ringer)
        self._versions: dict[int, int] = {}

    async def create_one(self, task_id: int) -> CreatedRun:
        """Make a run of a task that stands alone, committed; somebody is rung for it meanwhile."""
        if task_id not in self._versions:
            async with self.store.autocommit() as work:
                self._versions[task_id] = (await work.tasks.get(task_id, "default")).task_version_id
        run = await self._single_runs.create(SingleRun(task_id=task_id, task_version_id=self._versions[task_id]))
        assert run is not None
        return run

    async def rung(self) -> None:
        """Return when somebody has been rung for all that `create_one` has made."""
        await self._single_runs.rung()

    async def create(self, task_id: int, copies: int = 1) -> list[CreatedRun]:
        """Make runs of a task, decided under its lock and committed, and ring for them."""
        async with self.store.transaction() as work:
            plan = plan_flow(await work.tasks.lock_graph_of([task_id]), task_id)
            created = await work.task_runs.create_flows(
                [FlowRequest(plan=plan, trigger=RunTrigger.MANUAL, copies=copies)]
            )
        await self.ringer.ring_for_runs(created)
        return created


@asynccontextmanager
async def open_producer(bench: BenchSystem) -> AsyncIterator[Producer]:
    """A producer of this system, which rings as the system does."""
    config = MessageQueueConfig(url=bench.processes.environment.get("SCHEDULER_MESSAGE_QUEUE__URL", ""))
    store = await open_store(
        DatabaseConfig(url=bench.url), state_dir=bench.processes.work_dir, application_name="benchmark"
    )
    queue = open_message_queue(config, database_url=bench.url, application_name="benchmark")
    try:
        producer = Producer(store, WorkRinger(store, queue))
        yield producer
        await producer.rung()
    finally:
        await queue.close()
        await store.close()
