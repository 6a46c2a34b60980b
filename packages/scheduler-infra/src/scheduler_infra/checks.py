"""What `scheduler doctor` asks of the database and the broker."""

import asyncio
import time
from collections.abc import AsyncIterator

from scheduler_core.config import Settings
from scheduler_core.decisions.schedule_check import check_schedule
from scheduler_core.decisions.time_zone import zone_data_version
from scheduler_core.errors import SchedulerError
from scheduler_core.interfaces import Store
from scheduler_core.runtime import CheckResult

_LIMIT_SECONDS = 10.0
_PAGE = 500
_ODD_SHOWN_MAX = 5


async def database(settings: Settings) -> AsyncIterator[CheckResult]:
    """Whether the database answers, may be written to and has the schema, what is before it, and its clock."""
    from scheduler_infra.database import DatabaseConfig, open_store
    from scheduler_infra.database.pooler_check import pooler_result
    from scheduler_infra.message_queue import MessageQueueConfig

    section = settings.section(DatabaseConfig)
    try:
        begun = time.monotonic()
        store = await asyncio.wait_for(
            open_store(section, state_dir=settings.state_dir, application_name="scheduler-doctor", max_connections=1),
            _LIMIT_SECONDS,
        )
    except SchedulerError as error:
        yield CheckResult("database", False, str(error), "Start the database, or set database.url.")
        return
    except TimeoutError:
        yield CheckResult("database", False, f"No answer within {_LIMIT_SECONDS:g} s.", "Look at the database's load.")
        return
    try:
        yield CheckResult("database", True, f"reached, with the right schema, in {time.monotonic() - begun:.2f} s")
        rings_by_database = not settings.section(MessageQueueConfig).url
        yield await pooler_result(section, settings.state_dir, rings_by_database=rings_by_database)
        async with store.autocommit() as work:
            statistics = await work.system.statistics()
        skew = abs(statistics.now.timestamp() - time.time())
        yield CheckResult(
            "clock",
            skew < 5,
            f"{skew:.1f} s between this host's clock and the database's",
            "Only the database's clock decides, but logs will be hard to read: synchronise both with NTP.",
        )
        alive = statistics.workers_alive
        yield CheckResult(
            "workers",
            alive > 0,
            f"{alive} alive, {statistics.places_total} places",
            "Start a worker: scheduler-worker.",
        )
    finally:
        await store.close()


async def schedules(settings: Settings) -> AsyncIterator[CheckResult]:
    """Whether every stored schedule can still be computed: newer time zone data may judge differently."""
    from scheduler_infra.database import DatabaseConfig, open_store

    try:
        store = await open_store(
            settings.section(DatabaseConfig),
            state_dir=settings.state_dir,
            application_name="scheduler-doctor",
            max_connections=1,
        )
    except SchedulerError:
        return  # told by the check of the database
    try:
        count, odd = await _odd_schedules(store)
        more = f", and {len(odd) - _ODD_SHOWN_MAX} more" if len(odd) > _ODD_SHOWN_MAX else ""
        told = f"; {len(odd)} of them odd: {' '.join(odd[:_ODD_SHOWN_MAX])}{more}" if odd else ""
        yield CheckResult(
            "schedules",
            not odd,
            f"{count} stored, by time zone data {zone_data_version()}{told}",
            "Correct them with scheduler task update; until then they give no runs.",
        )
    finally:
        await store.close()


async def _odd_schedules(store: Store) -> tuple[int, list[str]]:
    """How many schedules count now, and a sentence for each that would be refused today."""
    count, odd, from_id = 0, [], 0
    async with store.autocommit() as work:
        while tasks := await work.ledger.tasks(from_id=from_id, limit=_PAGE):
            from_id = tasks[-1].task_id + 1
            names = {task.task_id: f"{task.namespace}/{task.task_name}" for task in tasks}
            for period in await work.schedules.periods(list(names)):
                if period.counts_until is None:
                    count += 1
                    odd += [
                        f"{names[period.task_id]}: {found.message}" for found in check_schedule(period.schedule)[:1]
                    ]
    return count, odd


async def message_queue(settings: Settings) -> AsyncIterator[CheckResult]:
    """Whether rings get through; without them everything still runs, later."""
    from scheduler_infra.database import DatabaseConfig, resolve_direct_url
    from scheduler_infra.message_queue import MessageQueueConfig, open_message_queue

    remedy = "Work goes on at the fallback poll's pace. Start the broker, or put message_queue.url right."
    try:
        url = resolve_direct_url(settings.section(DatabaseConfig), settings.state_dir)
        queue = open_message_queue(
            settings.section(MessageQueueConfig), database_url=url, application_name="scheduler-doctor"
        )
    except SchedulerError as error:
        yield CheckResult("message queue", False, str(error), remedy)
        return
    try:
        await asyncio.wait_for(queue.check(), _LIMIT_SECONDS)
        yield CheckResult("message queue", True, f"{queue.place} takes rings")
    except (SchedulerError, TimeoutError) as error:
        silence = f"{queue.place} gave no answer within {_LIMIT_SECONDS:g} s."
        yield CheckResult("message queue", False, str(error) or silence, remedy)
    finally:
        await queue.close()
