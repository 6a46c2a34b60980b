"""The processes of a system: each is started again when it has ended, and is hurt as the plan says."""

import asyncio
import random

from fixtures.simulated_database import DatabaseServer
from fixtures.simulated_jobs import JobLine, JobPlan, SimulatedJobs
from fixtures.simulated_loop import SimulatedLoop
from fixtures.simulated_message_queue import SimulatedWire
from fixtures.simulated_parts import run_dispatcher, run_worker
from fixtures.simulated_process import SimulatedProcess, Tell, Traps
from scheduler_core.errors import StoreUnavailableError, WorkerIdTakenError
from scheduler_core.interfaces import RunContext
from scheduler_core.models import DISPATCHERS, TaskRunStatus, session_address
from scheduler_core.runtime.process_identity import ProcessIdentity
from scheduler_dispatcher.dispatcher_config import DispatcherConfig
from scheduler_worker.worker_config import WorkerConfig
from simulation.invariants import Evidence
from simulation.plan import LEASE_SECONDS, OVERTAKEN, TRAPS, Happening, SystemPlan

_STATUSES = (TaskRunStatus.COMPLETED, TaskRunStatus.FAILED, TaskRunStatus.SKIPPED)
_EXPECTED = (WorkerIdTakenError, StoreUnavailableError)
"""Processes may end so: they are started again."""
_DISPATCHER = DispatcherConfig(poll_interval_seconds=7.0, schedule_interval_seconds=7.0)


class Processes:
    """All that have been there; those of the plan have the numbers of its workers, then of its dispatchers.

    `hosts` has the identities of processes that others can see on their host.
    """

    def __init__(
        self, plan: SystemPlan, server: DatabaseServer, loop: SimulatedLoop, evidence: Evidence, tell: Tell
    ) -> None:
        self._plan = plan
        self._server = server
        self._loop = loop
        self._evidence = evidence
        self._tell = tell
        self.rng = random.Random(f"{plan.seed} happens")
        self.wire = SimulatedWire(loop, self.rng, tell)
        self.hosts: dict[ProcessIdentity, SimulatedProcess] = {}
        self.all: list[SimulatedProcess] = []
        self._present: list[SimulatedProcess | None] = [None] * (len(plan.workers) + plan.dispatchers)
        self._traps_of_workers: Traps = {}
        self._keepers: list[asyncio.Task[None]] = []

    def make(self, name: str) -> SimulatedProcess:
        """One that is not started yet."""
        latency = self._plan.latency_seconds
        self.all.append(SimulatedProcess(name, self._server, self._loop, self.rng, self._tell, latency))
        return self.all[-1]

    def start(self) -> None:
        """Have those of the plan from now on."""
        self._keepers = [asyncio.create_task(self._keep(number)) for number in range(len(self._present))]

    def stop(self) -> None:
        """Start none any more."""
        for keeper in self._keepers:
            keeper.cancel()

    def hurt(self, happening: Happening) -> None:
        """Do what the plan says, to the process that has the number now."""
        seconds, after, wire = happening.seconds, self._loop.after, self.wire
        process = self._present[happening.target]
        match happening.what:
            case "wire_down":
                wire.wire.go_down()
                after(seconds, wire.wire.come_back)
            case "wire_faulty":
                wire.is_faulty = True
                after(seconds, setattr, wire, "is_faulty", False)
            case "wake":
                for number in range(1, 4):
                    wire.send(session_address(number))
                    wire.send(DISPATCHERS)
            case _ if happening.what == OVERTAKEN:
                self._traps_of_workers[happening.statement] = (OVERTAKEN, seconds)
            case _ if process is None or not process.is_alive:
                return
            case trap if trap in TRAPS:
                process.traps[happening.statement] = (trap, seconds)
            case "kill":
                process.kill()
            case "stop":
                process.stopping.set()
            case "freeze" | "block":
                process.freeze(seconds, is_whole=happening.what == "freeze")
            case "cut":
                process.faults.is_cut = True
                after(seconds, setattr, process.faults, "is_cut", False)
            case "loss" | "slowness":
                setattr(process.faults, happening.what, 0.25)
                after(seconds, setattr, process.faults, happening.what, 0.0)

    async def heal(self) -> None:
        """Nothing goes wrong any more, once all that stand still have gone on by themselves."""
        while any(process.is_stopped and not process.killed.done() for process in self.all):  # noqa: ASYNC110 - many
            await asyncio.sleep(0.25)
        self._tell("world", "heals", "")
        if not self.wire.wire.is_up:
            self.wire.wire.come_back()
        self.wire.is_faulty = False
        for process in self.all:
            process.faults.loss = process.faults.slowness = 0.0
            process.faults.is_cut = False
            process.traps.clear()
        self._traps_of_workers.clear()

    async def _keep(self, number: int) -> None:
        """Have a process of this number, one after another."""
        generation = 0
        while True:
            generation += 1
            process = self._present[number] = self._start(number, generation)
            assert process.task is not None
            await asyncio.wait([process.task, process.killed], return_when=asyncio.FIRST_COMPLETED)
            if process.task.done() and (error := process.task.exception()) is not None:
                self._tell(process.name, "ended", type(error).__name__)
                if not isinstance(error, _EXPECTED):
                    self._evidence.faults.append(f"{process.name} ended: {error!r}")
            await asyncio.sleep(self.rng.choice((0.1, self.rng.uniform(0.0, 3.0))))

    def _start(self, number: int, generation: int) -> SimulatedProcess:
        if number >= len(self._plan.workers):
            process = self.make(f"dispatcher-{number}.{generation}")
            process.start(run_dispatcher(process, self.wire, _DISPATCHER, self.rng))
            return process
        process = self.make(f"worker-{number}.{generation}")
        jobs = SimulatedJobs(process.name, self._loop, self._job_plan, self._note)
        process.on_kill = jobs.kill_all
        process.traps_of_all = self._traps_of_workers
        identity = ProcessIdentity(f"host-{0 if self._plan.shares_host else number}", "boot", number, generation)
        if self._plan.shares_host:
            self.hosts[identity] = process
        config = WorkerConfig(
            worker_id=f"worker-{number}" if self._plan.keeps_worker_ids else process.name,
            max_concurrent_tasks=self._plan.workers[number],
            queues=self._plan.queues[number],
            lease_seconds=LEASE_SECONDS,
            heartbeat_interval_seconds=LEASE_SECONDS / 3,
            poll_interval_seconds=5.0,
            drain_seconds=self.rng.choice((0.5, 5.0)),
        )
        process.start(run_worker(process, identity, jobs, self.wire, config))
        return process

    def _job_plan(self, context: RunContext) -> JobPlan:
        rng = random.Random(f"{self._plan.seed} {context.run_id} {context.attempt}")
        seconds = rng.choice((0.0, rng.uniform(0.0, 1.0), rng.uniform(1.0, 4.0), rng.uniform(2.0, 8.0)))
        return JobPlan(seconds, rng.choices(_STATUSES, (7, 3, 1))[0], rng.choice((0.0, 0.0, rng.uniform(0.0, 2.0))))

    def _note(self, line: JobLine) -> None:
        self._tell(line.process, "job", f"{line.run_id}#{line.attempt} {line.what}")
        self._evidence.lines.append(line)
