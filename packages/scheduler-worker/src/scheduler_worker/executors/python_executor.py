"""Python functions: async ones in the worker's loop, sync ones in child processes."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from scheduler_core.config import Settings
from scheduler_core.interfaces import RunContext, RunOutcome, RunOutput, TaskExecutor
from scheduler_core.models import TaskRunStatus
from scheduler_worker.current_run import enter_run
from scheduler_worker.executors.callable_loader import CallableError, add_to_path, load_callable
from scheduler_worker.executors.child_process import ending
from scheduler_worker.executors.job_environment import hold_guard, kill_all_runs, release_guard, run_environment
from scheduler_worker.executors.output_capture import OutputCapture, capture_into
from scheduler_worker.executors.parameter_check import parameter_problems
from scheduler_worker.executors.python_child import raised
from scheduler_worker.executors.python_children import ChildDiedError, PythonChildren
from scheduler_worker.executors.python_protocol import Call
from scheduler_worker.own_thread import in_own_thread
from scheduler_worker.worker_config import WorkerConfig

AsyncFunction = Callable[..., Awaitable[Any]]


class PythonExecutor(TaskExecutor):
    """Calls ``module:function`` with args and kwargs; what it returns is the result.

    A child process imports the function first and says whether it is async: sync functions, and modules that crash,
    hang or hold the interpreter while they are imported, never touch the worker itself. An async function must not
    block; what it prints and logs is kept with its run.
    """

    def __init__(
        self,
        *,
        kill_grace_seconds: float = 5.0,
        children_max: int = 4,
        child_runs_max: int = 1000,
        python_path: Sequence[str] = (),
        result_limit_bytes: int = 1_048_576,
    ) -> None:
        self._python_path = python_path
        self._result_limit_bytes = result_limit_bytes
        self._children = PythonChildren(
            size_max=children_max,
            runs_max=child_runs_max,
            python_path=python_path,
            kill_grace_seconds=kill_grace_seconds,
        )
        self._async_functions: dict[str, AsyncFunction | None] = {}
        self._loading: dict[str, asyncio.Lock] = {}
        self._capture: OutputCapture | None = None
        self._holds_guard = False

    @classmethod
    def from_settings(cls, settings: Settings) -> "PythonExecutor":
        """Made with worker.kill_grace_seconds, worker.result_limit_bytes and worker.python_*."""
        config = settings.section(WorkerConfig)
        return cls(
            kill_grace_seconds=config.kill_grace_seconds,
            children_max=config.python_children_max,
            child_runs_max=config.python_child_runs_max,
            python_path=config.python_path,
            result_limit_bytes=config.result_limit_bytes,
        )

    def check(self, parameters: Mapping[str, Any]) -> Sequence[str]:
        """See TaskExecutor."""
        return parameter_problems("python", parameters)

    async def execute(self, parameters: Mapping[str, Any], context: RunContext, output: RunOutput) -> RunOutcome:
        """See TaskExecutor; the time-out includes importing and waiting for a free child."""
        target: str = parameters["callable"]
        timeout = asyncio.timeout(context.timeout_seconds)
        try:
            async with timeout:
                if target not in self._async_functions:
                    problem = await self._load(target, output)
                    if problem is not None:
                        return problem
                function = self._async_functions[target]
                if function is None:
                    return await self._call_in_child(parameters, context, output)
                return await self._call_here(function, parameters, context, output)
        except TimeoutError:
            return RunOutcome(
                status=TaskRunStatus.TIMEOUT,
                error=f"It did not end within {context.timeout_seconds:g} s and was stopped.",
            )
        except ChildDiedError as error:
            return _failed(f"The process that ran the function ended with {ending(error.code)} before it returned.")
        except OSError as error:
            return _failed(f"No child process can be started for the function: {error}.")

    def kill_now(self) -> None:
        """See TaskExecutor; async functions are not processes, their coroutines are cancelled by who runs them."""
        self._children.kill_now()
        if self._holds_guard:
            kill_all_runs()

    async def close(self) -> None:
        """See TaskExecutor."""
        await self._children.close()
        if self._capture is not None:
            self._capture.remove()
            self._capture = None
        if self._holds_guard:
            self._holds_guard = False
            await in_own_thread(release_guard)

    async def _load(self, target: str, output: RunOutput) -> RunOutcome | None:
        """Learn what kind of function the target is; an outcome when there is none."""
        if not self._holds_guard:
            self._holds_guard = True
            hold_guard()
        async with self._loading.setdefault(target, asyncio.Lock()):
            if target in self._async_functions:
                return None
            answer = await self._children.look_at(target, output)
            if answer.error is not None:
                return _failed(answer.error)
            if not answer.is_async:
                self._async_functions[target] = None
                return None
            try:
                # In a thread: an import may take its time.
                self._async_functions[target] = await in_own_thread(lambda: self._import_here(target))
            except CallableError as error:
                return _failed(str(error))
            if self._capture is None:
                self._capture = OutputCapture()
        self._loading.pop(target, None)
        return None

    def _import_here(self, target: str) -> AsyncFunction:
        add_to_path(self._python_path)
        return load_callable(target)

    async def _call_in_child(self, parameters: Mapping[str, Any], context: RunContext, output: RunOutput) -> RunOutcome:
        call = Call(
            parameters["callable"],
            list(parameters.get("args") or ()),
            dict(parameters.get("kwargs") or {}),
            run_environment(context),
            context,
            self._result_limit_bytes,
        )
        answer = await self._children.call(call, output)
        if answer.error is not None:
            return RunOutcome(status=TaskRunStatus.FAILED, error=answer.error, retryable=answer.retryable)
        result = None if bytes(answer.result) == b"null" else answer.result
        return RunOutcome(status=TaskRunStatus.COMPLETED, result=result)

    @staticmethod
    async def _call_here(
        function: AsyncFunction, parameters: Mapping[str, Any], context: RunContext, output: RunOutput
    ) -> RunOutcome:
        enter_run(context)
        capture_into(output)
        try:
            result = await function(*(parameters.get("args") or ()), **(parameters.get("kwargs") or {}))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return _raised(error, output)
        # SystemExit and KeyboardInterrupt of a function would end the worker.
        except BaseException as error:
            return _raised(error, output)
        return RunOutcome(status=TaskRunStatus.COMPLETED, result=result)


def _raised(error: BaseException, output: RunOutput) -> RunOutcome:
    skipped = error.__traceback__.tb_next if error.__traceback__ is not None else None
    text = "".join(traceback.format_exception(type(error), error, skipped))
    output.write("stderr", text.encode("utf-8", "replace"))
    return _failed(raised(error))


def _failed(error: str) -> RunOutcome:
    return RunOutcome(status=TaskRunStatus.FAILED, error=error)
