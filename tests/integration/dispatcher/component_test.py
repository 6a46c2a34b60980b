"""The installed scheduler-dispatcher on a real database."""

from datetime import UTC, datetime, timedelta

from fixtures.factories import create_task
from fixtures.processes import SchedulerProcesses
from fixtures.waiting import wait_until
from scheduler_core.interfaces import Store
from scheduler_core.models import Schedule

EVERY_SECOND = Schedule(cron="* * * * * *")


async def slots_run(store: Store, task_id: int) -> int:
    """How many slots of a task have their run."""
    async with store.autocommit() as work:
        return len([slot for slot in await work.schedules.slots(task_id, limit=1000) if slot.run_id is not None])


async def test_dispatcher_integration_script_runs_slots_and_stops_cleanly(
    store: Store, database_url: str, scheduler_processes: SchedulerProcesses
) -> None:
    """The console script runs due slots on time, one after another, and leaves with 0 at SIGTERM."""
    settings = {"SCHEDULER_DATABASE__URL": database_url}
    task = await create_task(store, schedule=EVERY_SECOND, next_due=datetime.now(UTC).replace(microsecond=0))
    dispatcher = scheduler_processes.start("scheduler-dispatcher", env=settings)

    async def three_have_run() -> bool:
        assert dispatcher.is_running, dispatcher.tail()
        return await slots_run(store, task.id) >= 3

    await wait_until(three_have_run, limit_seconds=60, what="three slots of a one-second schedule")
    assert dispatcher.stop() == 0
    assert "dispatching" in dispatcher.output
    async with store.autocommit() as work:
        runs = await work.task_runs.page(task_id=task.id)
    # The newest ones were due while it ran: they are in time.
    assert runs[0].created_at - runs[0].scheduled_at < timedelta(seconds=1)
    assert len({run.scheduled_at for run in runs}) == len(runs)


async def test_dispatcher_integration_script_says_why_it_cannot_start(scheduler_processes: SchedulerProcesses) -> None:
    """A database that is away, and a strategy that nobody brings, are one paragraph and a non-zero exit."""
    away = {"SCHEDULER_DATABASE__URL": "postgresql://nobody@127.0.0.1:1/none"}
    done = scheduler_processes.run(script="scheduler-dispatcher", env=away)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "127.0.0.1" in done.stderr
    done = scheduler_processes.run("--set", "dispatcher.strategy=sharde", script="scheduler-dispatcher", env=away)
    assert done.returncode != 0
    assert "Did you mean shared?" in done.stderr
