"""Threads of the worker in which sync python functions are called."""

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable

from scheduler_core.interfaces import RunContext, RunOutput
from scheduler_worker.containment import supervision
from scheduler_worker.current_run import StopToken
from scheduler_worker.executors.function_end import failed
from scheduler_worker.executors.python_protocol import Answer

logger = logging.getLogger("scheduler.worker")


class FunctionThreads:
    """Up to `size_max` calls at once, each in a thread made for it, which keeps no process from ending.

    Nothing can kill a thread. One that does not end within `grace_seconds` after its call was cancelled is left to
    itself: what it prints is lost, and its place is given to others.
    """

    def __init__(self, size_max: int, grace_seconds: float) -> None:
        self._free = asyncio.Semaphore(size_max)
        self._grace_seconds = grace_seconds
        self.abandoned = 0

    async def call(
        self, call: Callable[[], Answer], token: StopToken, context: RunContext, output: RunOutput
    ) -> Answer:
        """What `call` gives; it sees the caller's context. Cancelling this sets the token.

        Raises LeaseEndedError when no job may begin any more as soon as there is a place.
        """
        async with self._free:
            supervision.require_lease()
            ended = self._start(call)
            try:
                return await asyncio.shield(ended)
            except asyncio.CancelledError:
                token.set()
                # A second cancel does not wait for the rest of the grace.
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait({ended}, timeout=self._grace_seconds)
                if not ended.done():
                    self._abandon(context, output)
                raise

    def _abandon(self, context: RunContext, output: RunOutput) -> None:
        self.abandoned += 1
        told = (
            f"The thread of the function did not end within {self._grace_seconds:g} s after it was asked to. Nothing "
            "can stop it, so it goes on by itself until the worker ends. Let the function ask stop_requested(), or "
            "use isolation process."
        )
        output.write("log", f"ERROR scheduler: {told}\n".encode())
        logger.error(
            "thread of a function does not end",
            extra={"run_id": context.run_id, "attempt": context.attempt, "abandoned": self.abandoned},
        )

    @staticmethod
    def _start(call: Callable[[], Answer]) -> "asyncio.Future[Answer]":
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Answer] = loop.create_future()
        seen = contextvars.copy_context()

        def settle(answer: Answer) -> None:
            if not ended.done():
                ended.set_result(answer)

        def work() -> None:
            try:
                answer = seen.run(call)
            except BaseException as error:  # or nobody would ever hear of it
                answer = failed(f"The call failed with {type(error).__name__}.")
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, answer)

        threading.Thread(target=work, name="python-function", daemon=True).start()
        return ended
