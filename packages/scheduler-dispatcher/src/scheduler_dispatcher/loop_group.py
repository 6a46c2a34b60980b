"""The loops of a dispatcher, side by side."""

import asyncio
from collections.abc import Sequence

from scheduler_dispatcher.service_loop import ServiceLoop
from scheduler_dispatcher.shared_bell import SharedBell


async def run_loops(loops: Sequence[ServiceLoop], bell: SharedBell, stopping: asyncio.Event) -> None:
    """Run all loops until `stopping`, each to the end of its present batch; the failure of one ends all."""
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(bell.run(), name="dispatcher bell")
        running = [group.create_task(loop.run(), name=f"dispatcher {loop.name}") for loop in loops]
        await stopping.wait()
        for loop in loops:
            loop.stop()
        await asyncio.wait(running)
        listening.cancel()
