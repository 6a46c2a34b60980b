"""The flows during which parts are made to crash: each makes the statements of the system carry out what it is for."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from fixtures.processes import RunningProcess, wait_until
from torture.system import TortureSystem

_STARTED = "SELECT count(*) FROM scheduler.task_runs WHERE id = ANY(%(run_ids)s) AND attempt > 0"
_TICKING_SECONDS = 1.5


class CrashSystem(NamedTuple):
    """A system with one of each part, and how to replace one that has ended."""

    system: TortureSystem
    parts: dict[str, RunningProcess]
    replace: Callable[[str], None]


def make_flow_tasks(system: TortureSystem) -> None:
    """The tasks of all flows."""
    create = system.caller.create_task
    system.caller.call("POST", "/api/v1/limits", {"name": "one", "concurrent": 1}, "limit-one")
    job = {"task_type": "python", "parameters": {"callable": "torture.jobs:work", "kwargs": {"seconds": 0.02}}}
    create("single", **job)
    create("chosen", **job, strategy="least_loaded")
    create(
        "child", task_type="python", parameters={"callable": "torture.jobs:work_in_child", "kwargs": {"seconds": 0.02}}
    )
    create("chain-a", **job)
    create("chain-b", **job, dependencies=["chain-a"])
    create("chain-c", **job, dependencies=["chain-b"], when="run.id > 0")
    create("group-a", **job, shards=3)
    create("group-b", **job, dependencies=["group-a"])
    create("retry", **_job(0.02, fails=1), max_retries=2, retry={"delay_seconds": 0.1})
    create("limited", **job, limits=["one"])
    create("fair", **job, fairness_key="params.kwargs.key", background=True)
    create("long", **_job(0.6), max_losses=100)
    create("cancelled", **_job(600.0), max_losses=100)


def _job(seconds: float, **kwargs: Any) -> dict[str, Any]:
    return {
        "task_type": "python",
        "parameters": {"callable": "torture.jobs:work", "kwargs": {"seconds": seconds, **kwargs}},
    }


def _trigger(task: str, count: int = 1, *, has_key: bool = True) -> Callable[[CrashSystem], None]:
    def begin(crash: CrashSystem) -> None:
        crash.system.caller.trigger(task, count, has_key=has_key)

    return begin


def _schedule(crash: CrashSystem) -> None:
    crash.system.make_ticking(2, f"tick-{time.monotonic_ns()}")
    time.sleep(_TICKING_SECONDS)
    crash.system.stop_ticking()


def _cancel(crash: CrashSystem) -> None:
    (run_id,) = crash.system.caller.trigger("cancelled")
    _wait_for_start(crash, [run_id])
    crash.system.caller.call("POST", f"/api/v1/task-runs/{run_id}/cancel", {})


def _loss(crash: CrashSystem) -> None:
    run_ids = crash.system.caller.trigger("long", 2)
    _wait_for_start(crash, run_ids)
    crash.system.kill(crash.parts["worker"])
    crash.replace("worker")


def _drain(crash: CrashSystem) -> None:
    run_ids = crash.system.caller.trigger("long", 2)
    _wait_for_start(crash, run_ids)
    crash.parts["worker"].stop()
    crash.replace("worker")


def _wait_for_start(crash: CrashSystem, run_ids: list[int]) -> None:
    # They may have been lost or ended meanwhile: what counts is that they were begun.
    wait_until(lambda: crash.system.number(_STARTED, run_ids=run_ids), 30, f"one of the runs {run_ids} starts")


FLOWS: dict[str, Callable[[CrashSystem], None]] = {
    "single": _trigger("single"),
    "single-plain": _trigger("single", has_key=False),
    "chosen": _trigger("chosen", 2),
    "child": _trigger("child"),
    "bulk": _trigger("single", 5),
    "chain": _trigger("chain-a"),
    "group": _trigger("group-a"),
    "retry": _trigger("retry"),
    "limited": _trigger("limited", 3),
    "fair": _trigger("fair", 3),
    "schedule": _schedule,
    "cancel": _cancel,
    "loss": _loss,
    "drain": _drain,
}
"""How each flow is begun."""
