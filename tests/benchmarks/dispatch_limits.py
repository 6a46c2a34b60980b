"""How many at once and how fast: limits while workers are killed, and changes under load."""

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from benchmarks.dispatch_system import DispatchSystem, Figures, Killer, dispatch_system, make_runs, make_task
from benchmarks.dispatch_trace import STARTS, Start, excess_starts, most_at_once, starts_of_lines
from fixtures.broker import running_rabbitmq
from scheduler_core.errors import ConflictError
from scheduler_core.interfaces import Store
from scheduler_core.models import LimitDefinition, TaskStatus

AT_ONCE, RATE, BURST = 2, 50, 10
KEYS = "abcde"
_NAP = 0.1
_TRIES = 5
_QUICK_LEASE = {"SCHEDULER_WORKER__LEASE_SECONDS": "3", "SCHEDULER_WORKER__HEARTBEAT_INTERVAL_SECONDS": "1"}


def limits(runs: int = 1500, kills: int = 20, seed: int = 1, workers: int = 3) -> Figures:
    """Keys of two at once, and a rate of 50/s with a burst of 10, while workers are killed: by record and by lines."""
    with dispatch_system(places=10, **_QUICK_LEASE) as system:

        async def begin() -> tuple[int, int]:
            async with system.store() as store:
                async with store.transaction() as work:
                    two = LimitDefinition(name="two", key="params.kwargs.key", concurrent=AT_ONCE)
                    await work.limits.create([two, LimitDefinition(name="rate", rate=RATE, burst=BURST)])
                options: dict[str, Any] = {"parameters": {"kwargs": {"key": "", "seconds": _NAP}}, "max_losses": 100}
                both = await make_task(store, "keyed_lines", limits=("two", "rate"), **options)
                one = await make_task(store, "keyed_lines", limits=("two",), **options)
                for task, count in ((both, runs // 3), (one, runs - runs // 3)):
                    for key in KEYS:
                        await make_runs(store, task, count // len(KEYS), kwargs={"key": key, "seconds": _NAP})
            return both.id, one.id

        both_id, one_id = asyncio.run(begin())
        killer = Killer(system, random.Random(seed), workers)
        while killer.kills < kills and system.has_unfinished():
            killer.kill_one()
        system.wait_until_finished()
        record = {each: [Start(*row) for row in system.rows(STARTS, task_id=each)] for each in (both_id, one_id)}
        statuses = dict(system.rows("SELECT status, count(*) FROM scheduler.task_runs GROUP BY status"))
        lines = starts_of_lines(system.lines.read_text(), killer.killed_at)
    together = [*record[both_id], *record[one_id]]
    return {
        "figure": "limits",
        "attempts": len(together),
        "runs": statuses,
        "kills": killer.kills,
        "most_at_once": most_at_once(together),
        "most_at_once_by_lines": most_at_once(lines),
        "starts_by_lines": len(lines),
        "killed_by_lines": sum(start.ended_at in killer.killed_at.values() for start in lines),
        "windows_over_rate": excess_starts([start._replace(key="") for start in record[both_id]], RATE, BURST),
    }


def changes(rounds: int = 20, job: float = 0.05, places: int = 20) -> Figures:
    """A limit is changed and a task paused under load: starts under the old rule after the answer."""
    wrong, collisions = 0, 0
    replies, before = [], []
    with dispatch_system(places=places) as system:

        async def changed(store: Store, task_id: int, change: Callable[[], Awaitable[None]]) -> datetime:
            """The database's time after the answer to a change; what was started before it is counted, too."""
            nonlocal collisions
            since = system.number("SELECT clock_timestamp()")
            await asyncio.sleep(0.3)
            before.append(system.started_since(task_id, since))
            began = time.perf_counter()
            for _ in range(_TRIES):
                try:
                    await change()
                except ConflictError:
                    # The API tries again, too.
                    collisions += 1
                else:
                    break
            else:
                raise AssertionError(f"a change collided {_TRIES} times")
            replies.append(time.perf_counter() - began)
            answered: datetime = system.number("SELECT clock_timestamp()")
            await asyncio.sleep(0.3)
            return answered

        async def run() -> None:
            nonlocal wrong
            async with system.store() as store:
                wide = LimitDefinition(name="wide", concurrent=places)
                async with store.transaction() as work:
                    (limit,) = await work.limits.create([wide])

                async def limit_to(concurrent: int) -> None:
                    async with store.transaction() as work:
                        await work.limits.update([limit.id], [LimitDefinition(name="wide", concurrent=concurrent)])

                async def pause() -> None:
                    async with store.transaction() as work:
                        await work.tasks.set_status([plain.id], TaskStatus.PAUSED)

                nap = {"kwargs": {"key": "", "seconds": job, "weight": 1}}
                limited = await make_task(store, "keyed_nap", limits=("wide",), parameters=nap)
                plain = await make_task(store, "keyed_nap", parameters=nap)
                # More than all places can run of either while this goes on.
                count = int(rounds * 1.5 * 2 * places / job) + 1000
                for task in (limited, plain):
                    await make_runs(store, task, count)
                await asyncio.to_thread(system.ring)
                await asyncio.sleep(2)
                for _ in range(rounds):
                    answered = await changed(store, plain.id, pause)
                    wrong += system.started_since(plain.id, answered)
                    async with store.transaction() as work:
                        await work.tasks.set_status([plain.id], TaskStatus.ACTIVE)
                        await work.task_runs.admit(1000)
                    await asyncio.to_thread(system.ring)
                    answered = await changed(store, limited.id, lambda: limit_to(1))
                    wrong += _starts_beside_others(system, limited.id, answered)
                    await limit_to(places)
                    await asyncio.to_thread(system.ring)

        for _ in range(2):
            system.start_worker()
        system.wait_for_workers(2)
        asyncio.run(run())
    return {
        "figure": "changes",
        "changes": len(replies),
        "starts_before_each": min(before),
        "starts_under_old_rule": wrong,
        "collisions": collisions,
        "reply_ms_median": round(statistics.median(replies) * 1000, 1),
        "reply_ms_max": round(max(replies) * 1000, 1),
    }


def _starts_beside_others(system: DispatchSystem, task_id: int, since: datetime) -> int:
    """Starts since then, in whose moment another run of the task ran already."""
    rows = system.rows(
        "SELECT '', started_at, coalesce(completed_at, now() + interval '1 hour') FROM scheduler.task_runs "
        "WHERE task_id = %(task_id)s AND (completed_at IS NULL OR completed_at > %(at)s) AND started_at IS NOT NULL",
        task_id=task_id,
        at=since,
    )
    starts = [Start(*row) for row in rows]
    late = [start for start in starts if start.started_at > since]
    return sum(any(other.started_at < start.started_at < other.ended_at for other in starts) for start in late)


def successor(runs: int = 200, *, rabbitmq: bool = False, settings: Mapping[str, str] | None = None) -> Figures:
    """From the end of a run to the start of the next one of a key that lets one run at a time."""
    with running_rabbitmq() if rabbitmq else nullcontext() as broker:
        with dispatch_system(
            places=10, broker_url=broker.url if broker is not None else "", **(settings or {})
        ) as system:

            async def begin() -> int:
                async with system.store() as store:
                    async with store.transaction() as work:
                        await work.limits.create([LimitDefinition(name="one", concurrent=1)])
                    task = await make_task(store, limits=("one",))
                    await make_runs(store, task, runs)
                return task.id

            task_id = asyncio.run(begin())
            system.start_worker()
            system.wait_until_finished()
            gaps = system.rows(
                "SELECT extract(epoch FROM started_at - lag(completed_at) OVER (ORDER BY started_at))::float * 1000 "
                "FROM scheduler.task_runs WHERE task_id = %(task_id)s ORDER BY started_at",
                task_id=task_id,
            )
    times = sorted(gap for (gap,) in gaps if gap is not None)
    return {
        "figure": "successor",
        "doorbells": "rabbitmq" if rabbitmq else "postgresql",
        "runs": runs,
        "p50_ms": round(statistics.median(times), 1),
        "p99_ms": round(times[int(len(times) * 0.99) - 1], 1),
    }
