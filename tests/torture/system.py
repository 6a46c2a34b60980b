"""A system of real processes to be tortured: each of its own, each replaceable, with what is known of its end."""

import contextlib
import math
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from fixtures.crash_points import StatementProxy
from fixtures.history_checker import Violation, violations
from fixtures.processes import SCRIPTS, RunningProcess, SchedulerProcesses, wait_until
from fixtures.recorded_history import Due, History
from scheduler_infra.database import DatabaseConfig, resolve_url
from torture.calls import Caller
from torture.history import read_history
from torture.jobs import shell_parameters

LEASE_SECONDS = 2.0
READY = '"event":"ready'
"""What every part prints when it has started."""
STRATEGIES = {"least_loaded": "work_in_child", "round_robin": "work"}
"""Tasks whose workers are chosen, the last ones of `make_tasks`, and what they call."""
PROFILE = {
    "SCHEDULER_WORKER__LEASE_SECONDS": f"{LEASE_SECONDS:g}",
    "SCHEDULER_WORKER__HEARTBEAT_INTERVAL_SECONDS": "0.6",
    "SCHEDULER_WORKER__KILL_GRACE_SECONDS": "0.2",
}
"""The settings of torture: everything else is as it comes."""

_FINISHED = (
    "SELECT NOT EXISTS (SELECT FROM scheduler.task_runs WHERE status IN ('PENDING', 'DISPATCHED', 'RUNNING') "
    "OR needs_settlement)"
)
_UNFINISHED = (
    "SELECT id, status, attempt, session_id, needs_settlement FROM scheduler.task_runs "
    "WHERE status IN ('PENDING', 'DISPATCHED', 'RUNNING') OR needs_settlement ORDER BY id LIMIT 20"
)
_DRAIN_SECONDS = 90.0


class TortureSystem:
    """PostgreSQL, API, dispatchers and workers as processes, the calls that were made, and who was killed when."""

    def __init__(self, processes: SchedulerProcesses, stack: ExitStack, seed: int) -> None:
        self.processes = processes
        self.rng = random.Random(seed)
        self.lines = processes.work_dir / "lines"
        self.lines.touch()
        # Shell jobs may run as another user.
        self.lines.chmod(0o666)
        processes.environment.update(PROFILE)
        processes.environment["PYTHONPATH"] = str(Path(__file__).parents[1])
        processes.environment["TORTURE_LINES"] = str(self.lines)
        processes.environment["SCHEDULER_WORKER__JOB_ENVIRONMENT"] = '["PATH","PYTHONPATH","TORTURE_LINES","LANG"]'
        self.caller = Caller(processes, seed)
        self.killed_at: dict[int, float] = {}
        self.due: list[Due] = []
        self._ticking: dict[int, float] = {}
        self._stack = stack
        self.postgresql = processes.start_up("--only", "postgresql")
        self.url = resolve_url(DatabaseConfig(), processes.state_dir)

    def start(
        self,
        script: str,
        env: Mapping[str, str] | None = None,
        *,
        elsewhere: bool = False,
        through: StatementProxy | None = None,
    ) -> RunningProcess:
        """Start one part. `elsewhere`: as if on a host of its own, so that nobody can see that it has died."""
        settings = {**(env or {}), **({"SCHEDULER_DATABASE__URL": through.url} if through is not None else {})}
        if elsewhere and can_be_elsewhere():
            hostname = f"host-{len(self.processes.started)}"
            words = ["-c", f'hostname {hostname}; exec "$0"', str(SCRIPTS / script)]
            return self.processes.start("/usr/bin/unshare", "--uts", "/bin/sh", *words, name=script, env=settings)
        return self.processes.start(script, env=settings)

    def start_api(self, through: StatementProxy | None = None) -> RunningProcess:
        """The API; returns when it listens."""
        api = self.start("scheduler-api", through=through)
        api.wait_for_output("listening on")
        return api

    def start_dispatcher(self, through: StatementProxy | None = None, **env: str) -> RunningProcess:
        """A dispatcher."""
        return self.start("scheduler-dispatcher", env, through=through)

    def start_worker(
        self, places: int = 10, *, elsewhere: bool = False, through: StatementProxy | None = None, **env: str
    ) -> RunningProcess:
        """A worker."""
        settings = {"SCHEDULER_WORKER__MAX_CONCURRENT_TASKS": str(places), **env}
        return self.start("scheduler-worker", settings, elsewhere=elsewhere, through=through)

    def proxy(self) -> StatementProxy:
        """A proxy to the database for one process."""
        return self._stack.enter_context(StatementProxy(self.url))

    def make_tasks(self, *, naps: tuple[float, ...] = (0.2, 0.5, 1.0), max_losses: int = 100) -> list[str]:
        """Tasks of all kinds, as many as there are naps of each, and two whose workers are chosen; their names."""
        names = []
        for nap in naps:
            for kind, task_type, parameters in (
                ("loop", "python", {"callable": "torture.jobs:work", "kwargs": {"seconds": nap}}),
                ("child", "python", {"callable": "torture.jobs:work_in_child", "kwargs": {"seconds": nap}}),
                ("shell", "shell", shell_parameters(str(self.lines), nap)),
            ):
                name = f"{kind}-{round(nap * 1000)}"
                self.caller.create_task(name, task_type=task_type, parameters=parameters, max_losses=max_losses)
                names.append(name)
        for strategy, callable_name in STRATEGIES.items():
            parameters = {"callable": f"torture.jobs:{callable_name}", "kwargs": {"seconds": naps[len(naps) // 2]}}
            self.caller.create_task(
                strategy, task_type="python", parameters=parameters, strategy=strategy, max_losses=max_losses
            )
            names.append(strategy)
        return names

    def make_ticking(self, count: int, name: str = "tick", **fields: Any) -> None:
        """So many tasks that are due every second; each of their slots is to have its run."""
        for number in range(count):
            parameters = {"callable": "torture.jobs:work", "kwargs": {"seconds": 0}}
            task_id = self.caller.create_task(
                f"{name}-{number}",
                **{
                    "task_type": "python",
                    "parameters": parameters,
                    "schedule": "* * * * * *",
                    "misfire": "all",
                    "misfire_runs_max": 1000,
                    "max_losses": 100,
                    **fields,
                },
            )
            self._ticking[task_id] = time.time()

    def stop_ticking(self) -> None:
        """Take the schedules away; what was due from the answers that made them to these calls is known."""
        for task_id, since in self._ticking.items():
            until = time.time()
            self.caller.call("PATCH", f"/api/v1/tasks/{task_id}", {"schedule": None})
            first, last = math.ceil(since), math.floor(until)
            if first <= last:
                self.due.append(Due(task_id, float(first), float(last)))
        self._ticking = {}

    def kill(self, process: RunningProcess) -> float:
        """End a process with SIGKILL, if it has not ended before; the moment."""
        process.send(signal.SIGKILL)
        at = self.killed_at.setdefault(process.pid, time.time())
        process.kill()
        return at

    def rows(self, statement: str, **parameters: Any) -> list[Any]:
        """What a statement answers."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def number(self, statement: str, **parameters: Any) -> Any:
        """The first value that a statement answers."""
        return self.rows(statement, **parameters)[0][0]

    def wait_for_workers(self, count: int, seconds: float = 60) -> None:
        """Return when so many are alive."""
        alive = "SELECT count(*) FROM scheduler.worker_sessions WHERE state = 'ALIVE'"
        wait_until(lambda: self.number(alive) >= count, seconds, f"{count} live workers")

    def come_to_rest(self, seconds: float = _DRAIN_SECONDS) -> None:
        """Return when nothing is left to be done, or when that has not become true in time: the checker will tell."""
        with contextlib.suppress(AssertionError):
            wait_until(lambda: self.number(_FINISHED), seconds, "the system comes to rest")

    def history(self) -> History:
        """Everything that is known of it."""
        return read_history(
            self.url,
            self.lines,
            calls=self.caller.calls,
            cancels=self.caller.cancels,
            due=self.due,
            killed_at=self.killed_at,
        )

    def load_of(self, history: History) -> dict[str, float]:
        """What it had to do: its runs, those with a chosen worker, and calls without an Idempotency-Key."""
        chosen = sum(run.task_id in self.caller.chosen_tasks for run in history.runs)
        return {"runs": len(history.runs), "chosen": chosen, "without key": self.caller.without_key}

    def judge(self, *, without: tuple[str, ...] = ()) -> tuple[History, list[Violation]]:
        """Wait for rest, and hold everything that was promised against what is there."""
        self.come_to_rest()
        history = self.history()
        found = violations(history, without=without)
        found += [
            Violation("failed", f"run {run.id}", f"{run.status} although its job does not fail")
            for run in history.runs
            if run.status in ("FAILED", "TIMEOUT", "SKIPPED", "QUARANTINED")
        ]
        done = self.processes.run("ledger", "verify", seconds=120)
        if done.returncode != 0:
            found.append(Violation("ledger", "scheduler ledger verify", done.stdout + done.stderr))
        return history, found


def can_be_elsewhere() -> bool:
    """Whether processes can be given a host name of their own here."""
    return os.geteuid() == 0 and Path("/usr/bin/unshare").exists() and shutil.which("hostname") is not None


@contextmanager
def torture_system(seed: int, settings: Mapping[str, str] | None = None) -> Iterator[TortureSystem]:
    """A system with nothing but its database, in a directory of its own that is gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="scheduler-torture-", dir="/tmp"))
    processes = SchedulerProcesses(directory)
    processes.environment.update(settings or {})
    try:
        with ExitStack() as stack:
            system = TortureSystem(processes, stack, seed)
            try:
                yield system
            finally:
                _end(system)
    finally:
        processes.end_all()
        if not os.environ.get("TORTURE_KEEP"):
            shutil.rmtree(directory, ignore_errors=True)


def _end(system: TortureSystem) -> None:
    # Nobody needs an orderly end of what is thrown away; the database goes last, and in order.
    for process in reversed(system.processes.started):
        if process.is_running and process is not system.postgresql:
            process.kill()
    if system.postgresql.is_running:
        system.postgresql.stop()


def until(deadline: float, most: int, act: Callable[[int], bool]) -> int:
    """Act until it has counted `most` times or the deadline (monotonic) has come; how often it counted."""
    done = 0
    while done < most and time.monotonic() < deadline:
        done += act(done)
    return done
