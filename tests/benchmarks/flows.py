"""`make bench-flow`: how long the steps of flows take, and what flows of many runs cost; JSON lines on stdout."""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.throughput import WORKERS
from fixtures.broker import RabbitMQServer
from fixtures.processes import SchedulerProcesses, wait_until
from scheduler_core.decisions.flow_rules import plan_flow
from scheduler_core.interfaces import Store
from scheduler_core.models import FlowRequest, RunTrigger, TaskDefinition
from scheduler_infra.database import DatabaseConfig, open_store, resolve_url

NO_OP = {"callable": "benchmarks.benchmark_tasks:no_op"}
CHAIN = 20
FAN = 200
UPSTREAMS = 10
"""How many tasks each task of the wide flows waits for."""

_UNFINISHED = (
    b"SELECT count(*) FROM scheduler.task_runs WHERE (id = %(flow)s OR (flow_id = %(flow)s AND flow_id <> id)) "
    b"AND status IN ('PENDING', 'DISPATCHED', 'RUNNING')"
)
_TIMES = b"""
SELECT count(*) FILTER (WHERE status = 'COMPLETED') AS completed, count(*) AS runs,
       extract(epoch FROM max(completed_at) - min(started_at))::float AS seconds,
       extract(epoch FROM max(completed_at) - min(created_at))::float AS whole
FROM scheduler.task_runs WHERE id = %(flow)s OR (flow_id = %(flow)s AND flow_id <> id)
"""
_STEPS = b"""
SELECT extract(epoch FROM started_at - lag(completed_at) OVER (ORDER BY id))::float * 1000 AS gap,
       extract(epoch FROM completed_at - lag(completed_at) OVER (ORDER BY id))::float * 1000 AS step
FROM scheduler.task_runs WHERE id = %(flow)s OR (flow_id = %(flow)s AND flow_id <> id) ORDER BY id
"""


class Bench:
    """A system of separate processes with one dispatcher and two workers."""

    def __init__(self, directory: Path, message_queue_url: str) -> None:
        self.system = SchedulerProcesses(directory)
        if message_queue_url:
            self.system.environment["SCHEDULER_MESSAGE_QUEUE__URL"] = message_queue_url
        environment = {
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "SCHEDULER_WORKER__ALLOW_ROOT": "true",
            "SCHEDULER_WORKER__SHELL_ENABLED": "true",
            "SCHEDULER_WORKER__MAX_CONCURRENT_TASKS": "200",
        }
        self.system.start_up("--only", "postgresql,api")
        self.system.start("scheduler-dispatcher", env=environment)
        for _ in range(WORKERS):
            self.system.start("scheduler-worker", env=environment)
        self.url = resolve_url(DatabaseConfig(), self.system.state_dir)
        wait_until(lambda: self._workers() == WORKERS, 30, "live workers")

    def _workers(self) -> int:
        body = self.system.request("GET", "/api/v1/workers").body
        return sum(worker["state"] == "ALIVE" for worker in body["items"])

    def apply(self, tasks: Sequence[dict[str, Any]]) -> None:
        """Store tasks over the API."""
        body = {"tasks": [{"task_type": "python", "parameters": NO_OP, **task} for task in tasks]}
        answer = self.system.request("POST", "/api/v1/tasks/apply", body)
        assert answer.status == 200, answer

    def trigger(self, name: str) -> int:
        """Begin a flow."""
        answer = self.system.request("POST", f"/api/v1/tasks/{name}/trigger", {})
        assert answer.status == 201, answer
        flow_id: int = answer.body["id"]
        return flow_id

    def ended(self, flow_id: int, seconds: float = 60) -> dict[str, Any]:
        """What the flow's rows say once all of them are final; AssertionError when one did not complete."""
        with psycopg.connect(self.url, autocommit=True) as connection:

            def unfinished() -> int:
                row = connection.execute(_UNFINISHED, {"flow": flow_id}).fetchone()
                assert row is not None
                return int(row[0])

            wait_until(lambda: unfinished() == 0, seconds, f"flow {flow_id} ends", describe=lambda: str(unfinished()))
            row = connection.execute(_TIMES, {"flow": flow_id}).fetchone()
            assert row is not None
            assert row[0] == row[1], row
            return {"runs": row[1], "seconds": row[2], "whole_seconds": row[3]}

    def steps(self, flow_id: int) -> list[tuple[float, float]]:
        """Of each step but the first: milliseconds from the former one's end to its start, and to its end."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return [(gap, step) for gap, step in connection.execute(_STEPS, {"flow": flow_id}) if gap is not None]


def chain(bench: Bench, repeat: int) -> dict[str, Any]:
    """A chain of no-op steps: the time from one step's end to the next one's, as the database recorded it."""
    names = [f"chain-{number:02d}" for number in range(CHAIN)]
    bench.apply([{"name": name, "dependencies": names[max(0, index - 1) : index]} for index, name in enumerate(names)])
    bench.ended(bench.trigger(names[0]))
    steps = []
    for _ in range(repeat):
        flow_id = bench.trigger(names[0])
        bench.ended(flow_id)
        steps += [step for _, step in bench.steps(flow_id)]
    ordered = sorted(steps)
    return {
        "workload": f"chain-{CHAIN}",
        "step_ms_p50": round(statistics.median(ordered), 2),
        "step_ms_p90": round(ordered[int(len(ordered) * 0.9)], 2),
        "steps": len(ordered),
    }


def fan(bench: Bench, repeat: int) -> dict[str, Any]:
    """One run, then many, then one that waits for all of them: as tasks of their own, and as the shards of one."""
    names = [f"fan-{number:03d}" for number in range(FAN)]
    bench.apply(
        [
            {"name": "fan-begin"},
            *({"name": name, "dependencies": ["fan-begin"]} for name in names),
            {"name": "fan-half-1", "dependencies": names[:50]},
            {"name": "fan-half-2", "dependencies": names[50:100]},
            {"name": "fan-half-3", "dependencies": names[100:150]},
            {"name": "fan-half-4", "dependencies": names[150:]},
            {"name": "fan-end", "dependencies": [f"fan-half-{number}" for number in range(1, 5)]},
            {"name": "map-begin"},
            {"name": "map", "dependencies": ["map-begin"], "shards": FAN},
            {"name": "map-end", "dependencies": ["map"]},
        ]
    )
    found: dict[str, list[float]] = {"fan": [], "map": []}
    for kind, times in found.items():
        bench.ended(bench.trigger(f"{kind}-begin"))
        for _ in range(repeat):
            times.append(bench.ended(bench.trigger(f"{kind}-begin"))["whole_seconds"])
    return {
        "workload": f"fan-1-{FAN}-1",
        "tasks_s_p50": round(statistics.median(found["fan"]), 3),
        "shards_s_p50": round(statistics.median(found["map"]), 3),
    }


async def _create_wide(store: Store, runs: int, prefix: str) -> tuple[int, float, int]:
    """A flow of layers of a hundred tasks, each waiting for ten of the layer before; made as a trigger does it."""
    width = 100
    definitions = [TaskDefinition(name=f"{prefix}-root", task_type="python", parameters=NO_OP)]
    names = [f"{prefix}-{number}" for number in range(runs - 1)]
    for number, name in enumerate(names):
        layer, place = divmod(number, width)
        above = [names[(layer - 1) * width + (place + step) % width] for step in range(UPSTREAMS)] if layer else []
        definitions.append(
            TaskDefinition(
                name=name,
                task_type="python",
                parameters=NO_OP,
                dependencies=tuple(above or [f"{prefix}-root"]),
            )
        )
    async with store.transaction() as work:
        tasks = await work.tasks.create(definitions, [None] * len(definitions))
    began = time.monotonic()
    async with store.transaction() as work:
        plan = plan_flow(await work.tasks.lock_graph_of([tasks[0].id]), tasks[0].id)
        (root, *_) = await work.task_runs.create_flows([FlowRequest(plan=plan, trigger=RunTrigger.MANUAL)])
    return root.flow_id, time.monotonic() - began, len(plan.edges)


def wide(bench: Bench, sizes: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Flows of many runs: how long they take to be made, and to end, for each run and each edge."""

    async def create(runs: int) -> tuple[int, float, int]:
        store = await open_store(
            DatabaseConfig(url=bench.url), state_dir=bench.system.state_dir, application_name="bench"
        )
        try:
            return await _create_wide(store, runs, f"wide-{runs}")
        finally:
            await store.close()

    for runs in sizes:
        flow_id, seconds, edges = asyncio.run(create(runs))
        ended = bench.ended(flow_id, 600)
        yield {
            "workload": f"flow-{runs}",
            "edges": edges,
            "create_s": round(seconds, 2),
            "finish_s": round(ended["seconds"], 2),
            "us_per_edge": round(ended["seconds"] / edges * 1e6, 1),
            "runs_per_s": round(runs / ended["seconds"]),
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench-flow", description=__doc__)
    parser.add_argument("--repeat", type=int, default=20, help="how often chain and fan are run (20)")
    parser.add_argument(
        "--sizes",
        default="200,1000,10000",
        help="runs of the flows whose growth is shown; each has about ten edges (200,1000,10000)",
    )
    parser.add_argument("--rabbitmq", action="store_true", help="ring over a RabbitMQ of its own instead of PostgreSQL")
    chosen = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="scheduler-bench-", dir="/tmp"))
    doorbells = "rabbitmq" if chosen.rabbitmq else "postgresql"
    bench, broker = None, None
    try:
        if chosen.rabbitmq:
            (directory / "broker").mkdir()
            broker = RabbitMQServer(directory / "broker")
            broker.start()
        bench = Bench(directory, broker.url if broker is not None else "")
        for row in (chain(bench, chosen.repeat), fan(bench, chosen.repeat)):
            print(json.dumps({**row, "doorbells": doorbells}), flush=True)
        for row in wide(bench, [int(size) for size in chosen.sizes.split(",") if size]):
            print(json.dumps({**row, "doorbells": doorbells}), flush=True)
    except AssertionError as error:
        sys.exit(f"the benchmark failed: {error}")
    finally:
        if bench is not None:
            bench.system.end_all()
        if broker is not None:
            broker.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
