"""What `scheduler doctor` asks of the database and the broker."""

import asyncio
import time
from collections.abc import AsyncIterator

from scheduler_core.config import Settings
from scheduler_core.errors import SchedulerError
from scheduler_core.runtime import CheckResult

_LIMIT_SECONDS = 10.0


async def database(settings: Settings) -> AsyncIterator[CheckResult]:
    """Whether the database answers, may be written to and has the schema, and how far its clock is from ours."""
    from scheduler_infra.database import DatabaseConfig, open_store

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
        yield CheckResult("message queue", True, "answers")
    except (SchedulerError, TimeoutError) as error:
        yield CheckResult("message queue", False, str(error) or "No answer.", remedy)
    finally:
        await queue.close()
