"""What the users of a system do: they make runs, cancel some, and pause a task for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fixtures.simulated_message_queue import SimulatedMessageQueue, SimulatedWire
from fixtures.simulated_process import SimulatedProcess
from scheduler_api.known_task_types import KnownTaskTypes
from scheduler_api.ledger_service import BEGINNING, LedgerService, Place
from scheduler_api.next_due import first_due_of_new
from scheduler_api.task_run_service import TaskRunService
from scheduler_api.task_service import TaskService
from scheduler_api.work_ringer import WorkRinger
from scheduler_core.errors import SchedulerError
from simulation.invariants import Evidence
from simulation.plan import Happening, SystemPlan

USES = frozenset({"trigger", "cancel", "pause"})


class Users:
    """Ask the services behind the API; an answer that is no success promises nothing."""

    def __init__(self, process: SimulatedProcess, wire: SimulatedWire, plan: SystemPlan, evidence: Evidence) -> None:
        self.process = process
        self._plan = plan
        self._evidence = evidence
        self._store = process.store(4)
        ringer = WorkRinger(self._store, SimulatedMessageQueue(wire))
        self._runs = TaskRunService(self._store, process.clock, ringer)
        self._tasks = TaskService(self._store, process.clock, ringer, KnownTaskTypes(self._store))

    async def make_tasks(self) -> None:
        """Store the tasks of the plan, and the limit that some of them have."""
        async with self._store.transaction() as work:
            await work.limits.create([self._plan.limit])
            now = await work.system.now()
            dues = [first_due_of_new(definition, now) for definition in self._plan.tasks]
            await work.tasks.create(self._plan.tasks, dues)

    async def use(self, happening: Happening) -> None:
        """Do what the plan says."""
        name = self._plan.tasks[happening.target % len(self._plan.tasks)].name
        try:
            if happening.what == "trigger":
                outcome = await self._runs.trigger(name, "default", {"count": int(happening.seconds)})
                self._evidence.acknowledged += outcome.result.run_ids
            elif happening.what == "cancel" and self._evidence.acknowledged:
                run_id = self._evidence.acknowledged[happening.target % len(self._evidence.acknowledged)]
                await self._runs.cancel(str(run_id))
            elif happening.what == "pause":
                await self._tasks.pause(name, "default")
                await asyncio.sleep(happening.seconds)
        except SchedulerError as error:
            self.process.tell("users", "refused", type(error).__name__)
        if happening.what == "pause":
            await self._insist(lambda: self._tasks.resume(name, "default"))

    async def verify_ledger(self) -> None:
        """Note what is not as the schedules say."""
        verification = await LedgerService(self._store, self.process.clock).verify(
            namespace=None, start=None, end=None, place=Place(0, BEGINNING), limit=100
        )
        for item in verification.items:
            if item.findings_count or item.behind_since is not None:
                self._evidence.faults.append(f"ledger of {item.task_name}: {item.findings}, {item.behind_since}")

    async def _insist(self, call: Callable[[], Awaitable[Any]]) -> None:
        while True:
            try:
                await call()
                return
            except SchedulerError as error:
                self.process.tell("users", "refused", type(error).__name__)
                await asyncio.sleep(1.0)
