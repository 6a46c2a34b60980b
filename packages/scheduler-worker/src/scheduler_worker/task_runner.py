"""One run, first to last."""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from scheduler_core.decisions.retry_rules import retry_delay_seconds
from scheduler_core.errors import TemplateError
from scheduler_core.interfaces import RunContext, RunOutcome, RunOutput, TaskExecutor
from scheduler_core.models import ClaimedRun, FinishedRun, RunKey, TaskRunStatus, TaskVersion
from scheduler_worker.error_text import described, storable, too_large
from scheduler_worker.live_run import LiveRun, StopReason
from scheduler_worker.parameter_templates import ParameterTemplates

logger = logging.getLogger("scheduler.worker")

Traced = Callable[[RunContext], AbstractContextManager[str | None]]

_encoder = msgspec.json.Encoder()
_decode_parameters = msgspec.json.Decoder(dict[str, Any]).decode
_NUL = b"\\u0000"


class TaskRunner:
    """Carries runs out: finds the executor, merges parameters, and turns what happens into a report.

    `executor_for` gives the executor of a task type, or None when this worker has none that works. `traced` makes the
    span of a run that belongs to a trace, and gives the context that the job is to continue.
    """

    def __init__(
        self,
        executor_for: Callable[[str], TaskExecutor | None],
        *,
        result_limit_bytes: int,
        random: random.Random | None = None,
        traced: Traced | None = None,
    ) -> None:
        self._executor_for = executor_for
        self._result_limit_bytes = result_limit_bytes
        self._random = random or _random
        self._traced = traced
        self._templates = ParameterTemplates()
        self._checked: set[int] = set()

    def needs_inputs(self, claimed: ClaimedRun, version: TaskVersion) -> bool:
        """Whether `live.inputs` is to be set before `run`: the run's parameters may ask for the runs upstream."""
        return self._templates.need_upstream(claimed, version)

    async def run(self, live: LiveRun, version: TaskVersion, output: RunOutput) -> FinishedRun | None:
        """Carry out one attempt; None when nothing is to be reported: it is to be handed back, or was lost.

        Raises nothing but CancelledError, and that only when the cancellation did not come from `live.stop`.
        """
        executor = self._executor_for(version.task_type)
        if executor is None:
            return None
        outcome: RunOutcome | None
        try:
            outcome = await self._outcome(executor, live, version, output)
            if not isinstance(outcome, RunOutcome):
                raise TypeError(f"it gave a {type(outcome).__name__} instead of a RunOutcome")
        except asyncio.CancelledError:
            if live.stop_reason is None:
                raise
            outcome = None
        except Exception as error:  # an executor of somebody else may do anything
            logger.exception("executor failed", extra={"run_id": live.claimed.id, "task_type": version.task_type})
            outcome = _failed(f"The executor of task type '{version.task_type}' failed: {described(error)}.")
        if live.stop_reason is StopReason.LOST:
            return None
        if outcome is None:
            outcome = stopped_outcome(live, version)
        return None if outcome is None else self.report(live.claimed, version, outcome)

    def report(self, claimed: ClaimedRun, version: TaskVersion, outcome: RunOutcome) -> FinishedRun:
        """The outcome in the form the store takes; a result that cannot be stored makes the run FAILED."""
        result, problem = self._encoded(outcome.result)
        if problem is not None:
            outcome = RunOutcome(status=TaskRunStatus.FAILED, error=problem, retryable=False)
        delay = None
        if outcome.retryable and outcome.status in (TaskRunStatus.FAILED, TaskRunStatus.TIMEOUT):
            delay = retry_delay_seconds(version.retry, claimed.failures, self._random)
        return FinishedRun(
            run_id=claimed.id,
            attempt=claimed.attempt,
            status=outcome.status,
            result=result,
            error=None if outcome.error is None else storable(outcome.error),
            retry_delay_seconds=delay,
            needs_settlement=claimed.needs_settlement,
        )

    async def _outcome(
        self, executor: TaskExecutor, live: LiveRun, version: TaskVersion, output: RunOutput
    ) -> RunOutcome:
        claimed = live.claimed
        parameters = version.parameters
        if claimed.parameters is not None:
            parameters = {**parameters, **_decode_parameters(claimed.parameters)}
        is_own = claimed.parameters is not None
        if self._templates.are_in(claimed, version):
            is_own = True
            try:
                parameters = await self._templates.rendered(parameters, claimed, version, live.inputs)
            except TemplateError as error:
                return _failed(str(error), retryable=False)
        if is_own or version.id not in self._checked:
            problems = executor.check(parameters)
            if problems:
                return _failed(" ".join(problems), retryable=False)
            if not is_own:
                self._checked.add(version.id)
        context = RunContext(
            run_id=claimed.id,
            attempt=claimed.attempt,
            task_name=version.task_name,
            namespace=version.namespace,
            flow_id=claimed.flow_id,
            scheduled_at=claimed.scheduled_at,
            timeout_seconds=version.timeout_seconds,
            trace_context=claimed.trace_context,
            interval_from=claimed.interval_from,
            interval_to=claimed.interval_to,
            shard_index=claimed.shard_index,
            shard_total=claimed.shard_total,
            item=None if claimed.item is None else msgspec.json.decode(claimed.item),
        )
        if claimed.trace_context is None or self._traced is None:
            return await executor.execute(parameters, context, output)
        with self._traced(context) as trace_context:
            context = msgspec.structs.replace(context, trace_context=trace_context)
            return await executor.execute(parameters, context, output)

    def _encoded(self, result: Any) -> tuple[str | None, str | None]:
        if result is None:
            return None, None
        try:
            encoded = _encoder.encode(result)
            text = encoded.decode()
        except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
            return None, f"The result cannot be written as JSON: {described(error)}."
        if len(encoded) > self._result_limit_bytes:
            return None, too_large(len(encoded), self._result_limit_bytes)
        if _NUL in encoded and _has_nul(encoded):
            return None, "The result contains a NUL character, which the database cannot store in a text."
        return text, None


_random = random.Random()


def stopped_outcome(live: LiveRun, version: TaskVersion) -> RunOutcome | None:
    """What is reported of a run that was stopped from outside; None when others are to run it again."""
    if live.stop_reason is StopReason.CANCEL:
        return RunOutcome(status=TaskRunStatus.CANCELLED, error="Cancelled on request while it was running.")
    if live.stop_reason is StopReason.DEADLINE:
        return RunOutcome(
            status=TaskRunStatus.TIMEOUT,
            error=f"It did not end within {version.timeout_seconds:g} s, and its executor did not stop it.",
        )
    return None


def refused(finished: FinishedRun, reason: str) -> FinishedRun:
    """The report of a run whose own report the database does not accept."""
    return FinishedRun(
        run_id=finished.run_id,
        attempt=finished.attempt,
        status=TaskRunStatus.FAILED,
        error=storable(f"The run ended as {finished.status}, but its result cannot be stored: {reason}"),
        needs_settlement=finished.needs_settlement,
    )


def key_of(finished: FinishedRun) -> RunKey:
    """The fence of a report."""
    return RunKey(finished.run_id, finished.attempt)


def _failed(error: str, *, retryable: bool = True) -> RunOutcome:
    return RunOutcome(status=TaskRunStatus.FAILED, error=error, retryable=retryable)


def _has_nul(encoded: bytes) -> bool:
    """Whether an escaped NUL is really one, and not the end of an escaped backslash."""
    position = encoded.find(_NUL)
    while position >= 0:
        backslashes = 0
        while backslashes < position and encoded[position - 1 - backslashes : position - backslashes] == b"\\":
            backslashes += 1
        if backslashes % 2 == 0:
            return True
        position = encoded.find(_NUL, position + 1)
    return False
