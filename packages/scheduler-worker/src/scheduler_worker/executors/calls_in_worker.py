"""Calls of python functions in the worker itself: in one of its threads, or as coroutines in its loop."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from scheduler_core.interfaces import RunOutput
from scheduler_worker.current_run import StopToken
from scheduler_worker.executors.function_end import failed, raised, returned, traceback_text
from scheduler_worker.executors.python_protocol import Answer
from scheduler_worker.run_asks import RunStopped


class TaskToken(StopToken):
    """Set, too, as soon as the task that carries out the run is cancelled: before its coroutine hears of it."""

    __slots__ = ("_task",)

    def __init__(self, task: "asyncio.Task[Any] | None") -> None:
        super().__init__()
        self._task = task

    def is_set(self) -> bool:
        """See StopToken."""
        return super().is_set() or (self._task is not None and self._task.cancelling() > 0)

    def part(self) -> None:
        """The task ends; what it was asked stays so.

        Its context holds this token, which held the task: a ring that only the garbage collector would take apart.
        """
        self._is_set = self.is_set()
        self._task = None


def called(call: Callable[[], Any], output: RunOutput, token: StopToken, result_limit_bytes: int) -> Answer:
    """The answer of a sync function, whatever it raises."""
    try:
        result = call()
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()
            return failed("The function returned something to await. Use isolation async or process.", retryable=False)
    # SystemExit and KeyboardInterrupt of a function would end the worker.
    except BaseException as error:
        return _told(error, output, token)
    return returned(result, result_limit_bytes)


async def awaited(
    call: Callable[[], Awaitable[Any]], output: RunOutput, token: StopToken, result_limit_bytes: int
) -> Answer:
    """The answer of a coroutine; CancelledError when the task that carries out the run is cancelled."""
    try:
        result = await call()
    except BaseException as error:
        task = asyncio.current_task()
        is_stopped = task is not None and task.cancelling() > 0
        if is_stopped and isinstance(error, asyncio.CancelledError | RunStopped):
            # For the threads that the coroutine may have left.
            token.set()
            raise asyncio.CancelledError from None
        return _told(error, output, token)
    return returned(result, result_limit_bytes)


def _told(error: BaseException, output: RunOutput, token: StopToken) -> Answer:
    output.write("stderr", traceback_text(error).encode("utf-8", "replace"))
    return raised(error, is_stop_requested=token.is_set())
