"""W3: many schedules that fall due at one second."""

import asyncio
import os
import time
from datetime import UTC, datetime

from benchmarks.peers.measurement import Figure, Measurement

_LEAD_SECONDS = 15.0
_LEAD_SECONDS_PER_JOB = 0.001
_PATIENCE_SECONDS = 60.0
"""What has not begun so long after counts as missed, as with ours."""

_DUE = "PEER_DUE"
_JOBS = "PEER_JOBS"


async def measure(measurement: Measurement) -> list[Figure]:
    """Each schedule is for one minute of the day; from its beginning to that of the last job, and how many missed."""
    lead = _LEAD_SECONDS + measurement.jobs * _LEAD_SECONDS_PER_JOB
    await measurement.peer.prepare()
    due = next_minute(time.time() + lead)
    os.environ.update({_DUE: str(due), _JOBS: str(measurement.jobs)})
    # Everybody gets the same time to make the schedules.
    await asyncio.sleep(due - lead - time.time())
    measurement.crew.start([*measurement.peer.worker_commands(), *measurement.peer.scheduler_commands()])
    while measurement.marks.count(measurement.jobs) < measurement.jobs and time.time() < due + _PATIENCE_SECONDS:
        measurement.crew.check()
        await asyncio.sleep(0.05)
    starts = measurement.marks.times(measurement.jobs)
    if not starts:
        raise RuntimeError(f"W3: nothing began within {_PATIENCE_SECONDS:.0f} s. {measurement.crew.tail()}")
    missed = measurement.jobs - len(starts)
    figures = [Figure(f"{measurement.jobs}_missed", missed, "slots")]
    # When the last of the lucky ones began would flatter.
    return figures if missed else [Figure(f"{measurement.jobs}_all_started", max(starts) - due, "s"), *figures]


def next_minute(moment: float) -> int:
    """The first full minute at or after this moment."""
    return -int(-moment // 60) * 60


def scheduled_jobs() -> int:
    """How many schedules the workers of this measurement register; 0 where it is not about schedules."""
    return int(os.environ.get(_JOBS, "0"))


def due_at() -> int:
    """When all of them fall due."""
    return int(os.environ[_DUE])


def due_time() -> datetime:
    """The same as a time in UTC: its hour and minute are what schedules name.

    A schedule for every minute would have some systems make up for the minute before they were started.
    """
    return datetime.fromtimestamp(due_at(), UTC)
