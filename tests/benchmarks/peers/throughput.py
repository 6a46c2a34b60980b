"""W1: jobs that do nothing, created in bulk or one by one while two workers take them."""

import time
from collections.abc import Awaitable, Callable

from benchmarks.peers.measurement import Figure, Measurement
from benchmarks.peers.peer import CALLERS


async def measure_bulk(measurement: Measurement) -> list[Figure]:
    """In the quickest way that the system has."""
    found, _ = await _measured(measurement, measurement.peer.create_many)
    return [found]


async def measure_one_by_one(measurement: Measurement) -> list[Figure]:
    """A call for each job, each after the one before."""
    return [*await _measured(measurement, lambda jobs: measurement.create_by_callers(jobs, 1))]


async def measure_by_eight(measurement: Measurement) -> list[Figure]:
    """A call for each job, by several callers at once."""
    return [*await _measured(measurement, lambda jobs: measurement.create_by_callers(jobs, CALLERS))]


async def _measured(measurement: Measurement, create: Callable[[int], Awaitable[None]]) -> tuple[Figure, Figure]:
    """From the first call to the last end on record; to the last beginning where a system keeps no record."""
    jobs = measurement.jobs
    before = await measurement.begin()
    began = time.time()
    await create(jobs)
    created = time.time()
    await measurement.all_begun(jobs, "W1")
    finished = await measurement.all_finished(before, jobs)
    ended = max(measurement.marks.times(jobs)) if finished is None else finished.at
    await measurement.peer.close()
    return (
        Figure("total_per_s", jobs / (ended - began), "1/s"),
        Figure("create_per_s", jobs / (created - began), "1/s"),
    )
