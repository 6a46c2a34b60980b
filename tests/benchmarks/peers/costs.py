"""W5: what a system costs before it does anything."""

import asyncio
import subprocess
import sys
import time

from benchmarks.peers.measurement import Figure, Measurement

_IMPORTS = 10
_IDLE_SECONDS = 10.0
_JOBS = 50


async def measure(measurement: Measurement) -> list[Figure]:
    """Import of the client, start of the workers with a job waiting, then memory and processor of idle workers."""
    peer, crew, marks = measurement.peer, measurement.crew, measurement.marks
    imported = _best_seconds(peer.client_import)
    await peer.prepare()
    await peer.connect()
    await measurement.call(0)
    began = time.time()
    crew.start(peer.worker_commands())
    await measurement.all_begun(1, "W5", 60)
    cold = marks.time(0) - began
    for index in range(1, _JOBS):
        await measurement.call(index)
    await measurement.all_begun(_JOBS, "W5", 60)
    await asyncio.sleep(2.0)
    used, at = crew.cpu_seconds(), time.monotonic()
    await asyncio.sleep(_IDLE_SECONDS)
    share = (crew.cpu_seconds() - used) / (time.monotonic() - at)
    memory = crew.memory_mib()
    await peer.close()
    return [
        Figure("import_ms", 1000 * imported, "ms"),
        Figure("cold_start_s", cold, "s"),
        Figure("idle_cpu_percent", 100 * share, "%"),
        Figure("workers_mib", memory, "MiB"),
    ]


def _best_seconds(statement: str) -> float:
    """The quickest of several starts of Python that only import this."""
    took = []
    for _ in range(_IMPORTS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True, timeout=60)
        took.append(time.perf_counter() - began)
    return min(took)
