"""What goes on in a process after its components have ended."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

_THREADS_MAX = 32
_PAUSE_SECONDS = 0.02


class Leftovers:
    """Tasks and threads that were started after this was made, in the running loop, and that nobody has ended.

    The interpreter would wait for them for ever: a coroutine may swallow its cancellation, a thread may hang.
    """

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._threads_before = set(threading.enumerate())
        self._threads = ThreadPoolExecutor(_THREADS_MAX, thread_name_prefix="thread")
        asyncio.get_running_loop().set_default_executor(self._threads)

    async def ended(self, seconds: float) -> list[str]:
        """End what can be ended within `seconds`; the names of what cannot."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        tasks = {task for task in asyncio.all_tasks() if task is not self._task}
        for task in tasks:
            task.cancel()
        if tasks:
            _, tasks = await asyncio.wait(tasks, timeout=seconds)
        self._threads.shutdown(wait=False, cancel_futures=True)
        while (threads := self._living()) and loop.time() < deadline:  # noqa: ASYNC110 - nobody tells of the end of a thread
            await asyncio.sleep(_PAUSE_SECONDS)
        return [*(f"task {task.get_name()}" for task in tasks), *(f"thread {thread.name}" for thread in threads)]

    def _living(self) -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if not thread.daemon and thread not in self._threads_before]
