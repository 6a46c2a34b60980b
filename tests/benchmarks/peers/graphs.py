"""W4: steps that wait for each other, on workers that are warm."""

import statistics
import time
from collections.abc import Awaitable, Callable

from benchmarks.peers.measurement import Figure, Measurement

CHAIN = 20
FAN = 200
_REPEAT = 5


async def measure_chain(measurement: Measurement) -> list[Figure]:
    """A chain of twenty."""
    return await _measure(measurement, "chain_step", CHAIN, lambda: measurement.peer.start_chain(CHAIN))


async def measure_fan(measurement: Measurement) -> list[Figure]:
    """One, then two hundred, then one that waits for all of these."""
    return await _measure(measurement, "fan_step_tasks", FAN + 2, lambda: measurement.peer.start_fan(FAN))


async def _measure(
    measurement: Measurement, metric: str, steps: int, start: Callable[[], Awaitable[None]]
) -> list[Figure]:
    """From the call to the beginning of the last step, for each step; the median of five."""
    await measurement.begin()
    took = []
    for _ in range(1 + _REPEAT):
        measurement.marks.clear()
        began = time.time()
        await start()
        await measurement.all_begun(steps, "W4", 60)
        took.append(measurement.marks.time(steps - 1) - began)
    await measurement.peer.close()
    # The first one opens connections.
    return [Figure(metric, 1000 * statistics.median(took[1:]) / steps, "ms")]
