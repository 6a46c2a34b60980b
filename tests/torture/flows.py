"""`make torture-flow`: random flows while dispatchers are killed; each ends as a reference evaluator says."""

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg

from fixtures.flow_oracle import OracleTask, outcomes, random_flow
from fixtures.processes import RunningProcess, SchedulerProcesses, wait_until
from scheduler_core.decisions.flow_rules import plan_flow
from scheduler_core.interfaces import Store
from scheduler_core.models import FAILURE_SKIPS, FlowRequest, RunTrigger, TaskDefinition
from scheduler_infra.database import DatabaseConfig, open_store, resolve_url

DISPATCHERS = 2
WORKERS = 2
BATCH = 50
"""How many flows are begun at once."""

_RUNS = b"""
SELECT run.id, run.flow_id, tasks.name, run.status, run.skip_reason, run.attempt, run.group_id, run.needs_settlement,
       coalesce(run.upstream_successes, 0) + coalesce(run.upstream_failures, 0) + coalesce(run.upstream_skips, 0)
           > coalesce(nullif(run.upstreams, 0), 2147483647) AS is_overcounted
FROM scheduler.task_runs AS run JOIN scheduler.tasks ON tasks.id = run.task_id
"""
_UNFINISHED = b"SELECT count(*) FROM scheduler.task_runs WHERE status IN ('PENDING', 'DISPATCHED', 'RUNNING')"
_UNSETTLED = b"SELECT count(*) FROM scheduler.task_runs WHERE needs_settlement"


def definitions(tasks: list[OracleTask], seed: int) -> list[TaskDefinition]:
    """The tasks of a flow; some are groups, and some have a condition, so that dispatchers are needed."""
    rng = random.Random(seed)
    return [
        TaskDefinition(
            name=f"flow-{seed}-{position}",
            task_type="python",
            parameters={"callable": "torture.flow_jobs:end", "kwargs": {"succeeds": task.succeeds}},
            dependencies=tuple(f"flow-{seed}-{up}" for up in task.upstream),
            trigger_rule=task.rule_text,
            continue_on_failure=task.goes_on,
            shards=rng.choice((1, 2, 5)) if rng.random() < 0.25 else None,
            when="run.id > 0" if rng.random() < 0.2 else None,
        )
        for position, task in enumerate(tasks)
    ]


async def begin(store: Store, seeds: range) -> None:
    """Store the flows of these seeds and begin each."""
    flows = [definitions(random_flow(seed), seed) for seed in seeds]
    async with store.transaction() as work:
        whole = [definition for flow in flows for definition in flow]
        tasks = await work.tasks.create(whole, [None] * len(whole))
    roots = [task.id for task in tasks if task.name.endswith("-0")]
    async with store.transaction() as work:
        graph = await work.tasks.lock_graph_of(roots)
        await work.task_runs.create_flows(
            [FlowRequest(plan=plan_flow(graph, root), trigger=RunTrigger.MANUAL) for root in roots]
        )


class Killer:
    """Kills a dispatcher now and then, with SIGKILL, and starts another one in its place."""

    def __init__(self, system: SchedulerProcesses, rng: random.Random) -> None:
        self._system = system
        self._rng = rng
        self._dispatchers = [system.start("scheduler-dispatcher") for _ in range(DISPATCHERS)]
        self._next = time.monotonic() + 3
        self.kills = 0

    def has_ended(self, url: str) -> bool:
        """Whether no run is left; kills one dispatcher when it is time."""
        if time.monotonic() >= self._next:
            self._kill_one()
        return _count(url, _UNFINISHED) == 0

    def _kill_one(self) -> None:
        place = self._rng.randrange(DISPATCHERS)
        victim: RunningProcess = self._dispatchers[place]
        assert victim.is_running, victim.tail()
        victim.kill()
        self.kills += 1
        self._dispatchers[place] = self._system.start("scheduler-dispatcher")
        self._next = time.monotonic() + self._rng.uniform(0.2, 2.0)


async def torture(system: SchedulerProcesses, flows: int, seed: int) -> dict[str, Any]:
    """Carry the flows out under kills; AssertionError when one ends otherwise than its rules say."""
    lines = system.work_dir / "lines"
    lines.touch()
    environment = {
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "TORTURE_LINES": str(lines),
        "SCHEDULER_WORKER__ALLOW_ROOT": "true",
        "SCHEDULER_WORKER__SHELL_ENABLED": "true",
        "SCHEDULER_WORKER__MAX_CONCURRENT_TASKS": "20",
    }
    system.start_up("--only", "postgresql,api")
    url = resolve_url(DatabaseConfig(), system.state_dir)
    for _ in range(WORKERS):
        system.start("scheduler-worker", env=environment)
    killer = Killer(system, random.Random(seed))
    began = time.monotonic()
    store = await open_store(DatabaseConfig(url=url), state_dir=system.state_dir, application_name="torture")
    try:
        for first in range(0, flows, BATCH):
            await begin(store, range(seed + first, seed + min(flows, first + BATCH)))
            await asyncio.to_thread(wait_until, lambda: killer.has_ended(url), 120, f"flows from {first} end")
    finally:
        await store.close()
    wait_until(lambda: _count(url, _UNSETTLED) == 0, 30, "all runs are settled")
    ran = Counter(line.split()[0] for line in lines.read_text().splitlines())
    runs = _check(url, range(seed, seed + flows), ran)
    return {
        "flows": flows,
        "seed": seed,
        "runs": runs,
        "kills": killer.kills,
        "seconds": round(time.monotonic() - began, 1),
        "wrong": 0,
    }


def _count(url: str, statement: bytes) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return int(row[0])


def _check(url: str, seeds: range, ran: Counter[str]) -> int:
    """Every run of every flow against the reference, and against the lines of the jobs; how many runs there are."""
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(_RUNS).fetchall()
    found: dict[tuple[int, int], str] = {}
    heads = {row[6] for row in rows if row[6] is not None}
    for run_id, _, name, status, reason, attempt, group_id, unsettled, is_overcounted in rows:
        assert not unsettled, (run_id, status)
        assert not is_overcounted or run_id in heads, run_id
        executed = run_id not in heads and status in ("COMPLETED", "FAILED")
        assert (ran[str(run_id)], attempt) == ((1, 1) if executed else (0, 0)), (run_id, status, ran[str(run_id)])
        if group_id is None:
            _, seed, position = name.split("-")
            key = (int(seed), int(position))
            assert key not in found, key
            found[key] = f"{status}!" if status == "SKIPPED" and reason in FAILURE_SKIPS else status
    for seed in seeds:
        expected = outcomes(random_flow(seed))
        ended = [found.get((seed, position), "missing") for position in range(len(expected))]
        assert ended == expected, f"flow of seed {seed}: {ended} instead of {expected}"
    return len(rows)


def main() -> None:
    """Torture and print one JSON line."""
    parser = argparse.ArgumentParser(prog="make torture-flow", description=__doc__)
    parser.add_argument("--flows", type=int, default=1000, help="how many random flows (1000)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first flow (1)")
    chosen = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="scheduler-torture-", dir="/tmp"))
    system = SchedulerProcesses(directory)
    try:
        print(json.dumps(asyncio.run(torture(system, chosen.flows, chosen.seed))), flush=True)
    except AssertionError as error:
        sys.exit(f"the torture found a fault: {error}")
    finally:
        system.end_all()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
