"""Python functions: in child processes, in threads of the worker, or as coroutines in its loop."""

import asyncio
import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from scheduler_core.config import Settings
from scheduler_core.decisions.size_text import parse_size
from scheduler_core.interfaces import RunContext, RunNotice, RunOutcome, RunOutput, TaskExecutor
from scheduler_core.models import RunKey
from scheduler_worker.containment import supervision
from scheduler_worker.containment.program import ending
from scheduler_worker.current_run import RunLink, enter_run
from scheduler_worker.executors.callable_loader import CallableError, CallableRefusedError
from scheduler_worker.executors.callable_rules import module_problem
from scheduler_worker.executors.calls_in_worker import TaskToken, awaited, called
from scheduler_worker.executors.function_end import failed, outcome_of
from scheduler_worker.executors.function_threads import FunctionThreads
from scheduler_worker.executors.job_environment import run_environment
from scheduler_worker.executors.known_functions import KnownFunctions
from scheduler_worker.executors.live_call import LiveCall
from scheduler_worker.executors.output_capture import OutputCapture, capture_into
from scheduler_worker.executors.output_end import EndKeepingOutput
from scheduler_worker.executors.parameter_check import parameter_problems
from scheduler_worker.executors.python_children import ChildLimits, PythonChildren
from scheduler_worker.executors.python_process import ChildDiedError
from scheduler_worker.executors.python_protocol import Answer, Call, ChildSettings
from scheduler_worker.worker_config import JOB_ENVIRONMENT, WorkerConfig


class PythonExecutor(TaskExecutor):
    """Calls ``module:function`` with args and kwargs; what it returns is the result.

    Sync functions are called in child processes, async ones in the worker's loop, unless `isolation` says otherwise.
    """

    def __init__(
        self,
        *,
        kill_grace_seconds: float = 5.0,
        children_max: int = 4,
        child_limits: ChildLimits | None = None,
        threads_max: int = 4,
        settings: ChildSettings | None = None,
        environment_names: Collection[str] = JOB_ENVIRONMENT,
        result_limit_bytes: int = 1_048_576,
    ) -> None:
        settings = settings or ChildSettings()
        modules = tuple(settings.modules)
        # Asked before each run, and answered alike each time.
        self._module_problem = functools.lru_cache(1024)(lambda module: module_problem(module, modules))
        self._result_limit_bytes = result_limit_bytes
        self._children = PythonChildren(
            size_max=children_max,
            limits=child_limits or ChildLimits(),
            settings=settings,
            environment_names=environment_names,
            kill_grace_seconds=kill_grace_seconds,
            answer_bytes_max=result_limit_bytes,
        )
        self._threads = FunctionThreads(threads_max, kill_grace_seconds)
        self._known = KnownFunctions(self._children, settings.python_path, settings.modules)
        self._live: dict[RunKey, LiveCall] = {}
        self._capture: OutputCapture | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> "PythonExecutor":
        """Made with worker.kill_grace_seconds, worker.result_limit_bytes and worker.python_*."""
        config = settings.section(WorkerConfig)
        return cls(
            kill_grace_seconds=config.kill_grace_seconds,
            children_max=config.python_children_max,
            child_limits=ChildLimits(
                config.python_child_runs_max,
                config.python_child_age_seconds,
                parse_size(config.python_child_memory_max),
            ),
            threads_max=config.python_threads_max,
            settings=ChildSettings(config.python_path, config.python_modules, config.python_warm_modules),
            environment_names=config.job_environment,
            result_limit_bytes=config.result_limit_bytes,
        )

    def check(self, parameters: Mapping[str, Any]) -> Sequence[str]:
        """See TaskExecutor."""
        return parameter_problems("python", parameters)

    async def execute(self, parameters: Mapping[str, Any], context: RunContext, output: RunOutput) -> RunOutcome:
        """See TaskExecutor; importing and waiting for a free child or thread belong to the attempt."""
        key = RunKey(context.run_id, context.attempt)
        kept = EndKeepingOutput(output)
        token = TaskToken(asyncio.current_task())
        live = self._live[key] = LiveCall(token)
        try:
            answer = await self._answer(parameters, context, kept, live)
        except ChildDiedError as error:
            reason = f"The process that ran the function ended with {ending(error.code)} before it returned."
            answer = failed(reason, exit_code=error.code)
        except OSError as error:
            answer = failed(f"No child process can be started for the function: {error}.")
        finally:
            token.part()
            if self._live.get(key) is live:
                del self._live[key]
        return outcome_of(answer, kept.end)

    def notify(self, run: RunKey, notice: RunNotice) -> bool:
        """See TaskExecutor; only a function in a child process can stand still."""
        live = self._live.get(run)
        if live is None:
            return False
        if notice is RunNotice.PAUSE:
            return live.pause()
        if notice is RunNotice.RESUME:
            return live.resume()
        live.request_stop()
        return True

    def kill_now(self) -> None:
        """See TaskExecutor; functions in the worker itself are asked to end, and coroutines are cancelled by others."""
        for live in list(self._live.values()):
            live.token.set()
        self._children.kill_now()

    async def close(self) -> None:
        """See TaskExecutor."""
        await self._children.close()
        if self._capture is not None:
            self._capture.remove()
            self._capture = None

    async def _answer(
        self, parameters: Mapping[str, Any], context: RunContext, output: RunOutput, live: LiveCall
    ) -> Answer:
        target: str = parameters["callable"]
        problem = self._module_problem(target.partition(":")[0])
        if problem is not None:
            return failed(problem, retryable=False)
        isolation = parameters.get("isolation")
        if isolation is None and parameters.get("caps"):
            isolation = "process"
        if isolation == "process":
            return await self._call_in_child(parameters, context, output, live)
        is_async = self._known.is_async(target)
        if is_async is None:
            if isolation is None:
                # It may turn out to be one for a child, which could stand still: until then it is not begun at least.
                live.expect_child()
            looked = await self._known.look_at(target, output)
            if looked.error is not None:
                return looked
            is_async = looked.is_async
        if isolation is None and not is_async:
            return await self._call_in_child(parameters, context, output, live)
        if (mismatch := _mismatch(target, isolation, is_async)) is not None:
            return failed(mismatch, retryable=False)
        function = self._known.imported(target)
        if function is None:
            try:
                function = await self._known.here(target)
            except CallableError as error:
                return failed(str(error), retryable=not isinstance(error, CallableRefusedError))
        await live.wait_while_paused()
        live.leave()
        # Finding the function may have taken longer than the lease, if this process stood still meanwhile.
        supervision.require_lease()
        return await self._call_here(function, parameters, context, output, live)

    async def _call_in_child(
        self, parameters: Mapping[str, Any], context: RunContext, output: RunOutput, live: LiveCall
    ) -> Answer:
        memory = (parameters.get("caps") or {}).get("memory")
        call = Call(
            parameters["callable"],
            list(parameters.get("args") or ()),
            dict(parameters.get("kwargs") or {}),
            run_environment(context),
            context,
            self._result_limit_bytes,
            None if memory is None else int(parse_size(str(memory))),
        )
        live.expect_child()
        return await self._children.call(call, output, live)

    async def _call_here(
        self,
        function: Callable[..., Any],
        parameters: Mapping[str, Any],
        context: RunContext,
        output: RunOutput,
        live: LiveCall,
    ) -> Answer:
        if self._capture is None:
            self._capture = OutputCapture()
        enter_run(RunLink(context, live.token, output.report))
        capture_into(output)
        bound = functools.partial(function, *(parameters.get("args") or ()), **(parameters.get("kwargs") or {}))
        if parameters.get("isolation") == "thread":
            answered = functools.partial(called, bound, output, live.token, self._result_limit_bytes)
            return await self._threads.call(answered, live.token, context, output)
        return await awaited(bound, output, live.token, self._result_limit_bytes)


def _mismatch(target: str, isolation: str | None, is_async: bool) -> str | None:
    if isolation == "async" and not is_async:
        return f"'{target}' is no async function, so isolation cannot be async. Use process or thread, or async def."
    if isolation == "thread" and is_async:
        return f"'{target}' is an async function, so isolation cannot be thread. Use async or process."
    return None
