"""Coroutines in a python child."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from scheduler_worker.current_run import RunLink


def run(coroutine: Coroutine[Any, Any, Any], link: RunLink) -> Any:
    """What the coroutine returns or raises; SIGTERM cancels it unless it asks itself whether it is to end."""
    return asyncio.run(_awaited(coroutine, link))


async def _awaited(coroutine: Coroutine[Any, Any, Any], link: RunLink) -> Any:
    task = asyncio.current_task()

    def on_term() -> None:
        if task is not None and not link.is_watched:
            task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, on_term)
    return await coroutine
