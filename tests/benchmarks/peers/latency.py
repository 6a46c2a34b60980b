"""W2: how long a job waits when there is little to do."""

import asyncio
import time

from benchmarks.peers.measurement import Figure, Measurement, percentile

RATE = 50
SECONDS = 10
_FIRST = 25
"""Calls before those that count, as in our own."""


async def measure(measurement: Measurement) -> list[Figure]:
    """Fifty calls a second; from just before each call to the beginning of its job."""
    await measurement.begin()
    jobs = _FIRST + RATE * SECONDS
    called = []
    began = time.time()
    for index in range(jobs):
        await asyncio.sleep(max(0.0, began + index / RATE - time.time()))
        called.append(time.time())
        await measurement.call(index)
    await measurement.all_begun(jobs, "W2", 30)
    waited = [1000 * (measurement.marks.time(index) - at) for index, at in enumerate(called)][_FIRST:]
    await measurement.peer.close()
    return [
        Figure("p50", percentile(waited, 0.5), "ms"),
        Figure("p99", percentile(waited, 0.99), "ms"),
        Figure("max", max(waited), "ms"),
    ]
