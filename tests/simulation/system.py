"""Runs one seed: the system that its plan says, under what its plan does to it, until it has come to rest."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

from fixtures.simulated_database import DatabaseServer
from fixtures.simulated_loop import SimulatedLoop, SimulationStuckError
from fixtures.simulated_parts import simulated_parts
from simulation.invariants import Evidence, violations_of
from simulation.plan import BEGAN_AT, FAULTS_SECONDS, SystemPlan
from simulation.processes import Processes
from simulation.users import USES, Users

REST_SECONDS = 90.0
"""Within so long after the last fault everything has ended."""

_AT_WORK = """
SELECT (SELECT count(*) FROM scheduler.task_runs WHERE status IN ('PENDING', 'DISPATCHED', 'RUNNING')
                                                 OR needs_settlement AND completed_at IS NOT NULL)
     + (SELECT count(*) FROM scheduler.schedules WHERE next_due_at IS NOT NULL OR awaits_run_id IS NOT NULL)
"""


class SimulationResult(NamedTuple):
    """What became of a seed; the same digest means that the same things happened in the same order."""

    seed: int
    violations: list[str]
    digest: str
    statements: int
    lock_waits: int
    runs: int
    virtual_seconds: float


class Simulation:
    """One seed, from its beginning to its end."""

    def __init__(self, plan: SystemPlan, server: DatabaseServer, trace: Callable[[str], None] | None = None) -> None:
        self._plan = plan
        self._server = server
        self._trace = trace
        self._loop = SimulatedLoop(BEGAN_AT)
        self._digest = hashlib.blake2b(digest_size=8)
        self._evidence = Evidence(server.control, plan)
        self._loop.set_exception_handler(self._note_failed_callback)
        self._processes = Processes(plan, server, self._loop, self._evidence, self._tell)

    def run(self) -> SimulationResult:
        """Carry it out, beginning with an empty database."""
        self._server.use(self._loop)
        self._server.empty(self._plan.seed)
        with simulated_parts(self._processes.hosts, self._processes.rng):
            try:
                self._loop.run_until_complete(self._main())
            except SimulationStuckError as error:
                self._evidence.faults.append(f"stuck: {error}")
            try:
                return self._result()
            finally:
                self._bury()

    async def _main(self) -> None:
        users = Users(self._processes.make("users"), self._processes.wire, self._plan, self._evidence)
        await users.make_tasks()
        # Their answers get lost all the time: what was not acknowledged may have been done or not.
        users.process.faults.loss = 0.03
        self._processes.start()
        uses = []
        for happening in self._plan.happenings:
            await self._wait_until(happening.at)
            self._tell("world", happening.what, f"{happening.target} {happening.seconds} {happening.statement}")
            if happening.what in USES:
                uses.append(self._loop.create_task(users.use(happening), context=users.process.gate.context))
            else:
                self._processes.hurt(happening)
        await self._wait_until(max([FAULTS_SECONDS, *(each.ends_at for each in self._plan.happenings)]))
        await self._processes.heal()
        await asyncio.gather(*uses)
        await self._rest()
        self._processes.stop()
        await users.verify_ledger()

    async def _wait_until(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, BEGAN_AT + seconds - self._loop.time()))

    async def _rest(self) -> None:
        until = self._loop.time() + REST_SECONDS
        # Not asked through a process: nothing of it is to be disturbed.
        while self._evidence.count(_AT_WORK) and self._loop.time() < until:  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.25)

    def _result(self) -> SimulationResult:
        return SimulationResult(
            seed=self._plan.seed,
            violations=violations_of(self._evidence),
            digest=self._digest.hexdigest(),
            statements=self._server.statements,
            lock_waits=self._server.lock_waits,
            runs=self._evidence.count("SELECT count(*) FROM scheduler.task_runs"),
            virtual_seconds=self._loop.time() - BEGAN_AT,
        )

    def _bury(self) -> None:
        """Let all coroutines end, so that nothing is left for the next seed."""
        self._trace = None
        self._server.end()
        for process in self._processes.all:
            process.bury()
        while left := [task for task in asyncio.all_tasks(self._loop) if not task.done()]:
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.wait(left, timeout=0.1))
        self._loop.close()

    def _note_failed_callback(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # What is no callback is a task, whose failures are told to who waits for it.
        if "handle" in context:
            self._evidence.faults.append(f"the simulation failed: {context.get('exception')!r}")

    def _tell(self, who: str, what: str, more: str) -> None:
        line = f"{self._loop.time() - BEGAN_AT:.6f} {who} {what} {more}"
        self._digest.update(line.encode())
        if self._trace is not None:
            self._trace(line)
