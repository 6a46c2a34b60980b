"""W3: many schedules that fall due at one second."""

import asyncio
import os
import time

from benchmarks.peers.measurement import Figure, Measurement

_LEAD_SECONDS = 15.0
_LEAD_SECONDS_PER_JOB = 0.001
_PATIENCE_SECONDS = 58.0
"""The next minute begins soon after, and with it the next turn of all schedules."""

_DUE = "PEER_DUE"
_JOBS = "PEER_JOBS"


async def measure(measurement: Measurement) -> list[Figure]:
    """Each schedule is for every full minute; from the first such minute to the last beginning, and how many missed."""
    lead = _LEAD_SECONDS + measurement.jobs * _LEAD_SECONDS_PER_JOB
    await measurement.peer.prepare()
    due = next_minute(time.time() + lead)
    os.environ.update({_DUE: str(due), _JOBS: str(measurement.jobs)})
    # Everybody gets the same time to make the schedules, and none sees the minute before.
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
