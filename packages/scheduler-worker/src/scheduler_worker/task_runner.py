"""One run, first to last."""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import msgspec

from scheduler_core.decisions.retry_rules import next_delay_seconds
from scheduler_core.errors import TemplateError
from scheduler_core.interfaces import RunContext, RunNotice, RunOutcome, RunOutput, TaskExecutor
from scheduler_core.models import ClaimedRun, FinishedRun, RunKey, TaskRunStatus, TaskVersion
from scheduler_worker.error_text import described, storable, too_large
from scheduler_worker.live_run import LiveRun, StopReason
from scheduler_worker.parameter_templates import ParameterTemplates
from scheduler_worker.run_timer import Alarm, RunTimers
from scheduler_worker.stopped_outcome import stopped_outcome
from scheduler_worker.worker_error import LeaseEndedError

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
        self._timers = RunTimers()
        self._checked: set[int] = set()

    def needs_inputs(self, claimed: ClaimedRun, version: TaskVersion) -> bool:
        """Whether `live.inputs` is to be set before `run`: the run's parameters may ask for the runs upstream."""
        return self._templates.need_upstream(claimed, version)

    async def run(self, live: LiveRun, version: TaskVersion, output: RunOutput) -> FinishedRun | None:
        """Carry out one attempt; None when nothing is to be reported: it is to be handed back, or was lost.

        Raises nothing but CancelledError, and that only when the cancellation did not come from `live.stop`, and
        LeaseEndedError when the job had to end with the lease of its worker.
        """
        executor = self._executor_for(version.task_type)
        if executor is None:
            live.is_unknown = True
            logger.warning(
                "run of a type that this worker cannot carry out handed back",
                extra={"run_id": live.claimed.id, "task_type": version.task_type},
            )
            return None
        outcome: RunOutcome | None
        if _seconds_left(live) == 0.0:
            # Not even begun: what a job does in its first moment may be what is not to be done any more.
            too_late = "total_timeout_seconds were over before this attempt had begun."
            outcome = RunOutcome(status=TaskRunStatus.TIMEOUT, error=too_late, retryable=False)
            return self.report(live.claimed, version, outcome)
        try:
            outcome = await self._outcome(executor, live, version, output)
            if not isinstance(outcome, RunOutcome):
                raise TypeError(f"it gave a {type(outcome).__name__} instead of a RunOutcome")
        except asyncio.CancelledError:
            if live.stop_reason is None:
                raise
            outcome = None
        except LeaseEndedError:
            raise
        except Exception as error:  # an executor of somebody else may do anything
            logger.exception("executor failed", extra={"run_id": live.claimed.id, "task_type": version.task_type})
            outcome = _failed(f"The executor of task type '{version.task_type}' failed: {described(error)}.")
        if live.stop_reason is StopReason.LOST:
            return None
        if outcome is None or (live.stop_reason is not None and outcome.status is TaskRunStatus.FAILED):
            # What fails while it is being stopped has been stopped.
            outcome = stopped_outcome(live, version)
        return None if outcome is None else self.report(live.claimed, version, outcome)

    def report(self, claimed: ClaimedRun, version: TaskVersion, outcome: RunOutcome) -> FinishedRun:
        """The outcome in the form the store takes; a result that cannot be stored makes the run FAILED."""
        result, problem = self._encoded(outcome.result)
        if problem is not None:
            outcome = RunOutcome(status=TaskRunStatus.FAILED, error=problem, retryable=False)
        return FinishedRun(
            run_id=claimed.id,
            attempt=claimed.attempt,
            status=outcome.status,
            result=result,
            error=None if outcome.error is None else storable(outcome.error),
            retry_delay_seconds=next_delay_seconds(version.retry, outcome, claimed.failures, self._random),
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
        live.executor, live.output = executor, output
        live.timer = self._timers.start(_alarms(live, version))
        try:
            if claimed.trace_context is None or self._traced is None:
                return await executor.execute(parameters, context, output)
            with self._traced(context) as trace_context:
                context = msgspec.structs.replace(context, trace_context=trace_context)
                return await executor.execute(parameters, context, output)
        finally:
            live.timer.stop()

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


def _alarms(live: LiveRun, version: TaskVersion) -> list[Alarm]:
    """What happens to an attempt with time: its job is told before its time is over, and stopped when it is."""
    alarms: list[Alarm] = []
    if (soft := version.run_options.soft_timeout_seconds) is not None:
        alarms.append((soft, partial(_tell_soft, live)))
    if version.timeout_seconds is not None:
        alarms.append((version.timeout_seconds, partial(_stop, live, StopReason.TIMEOUT)))
    if (left := _seconds_left(live)) is not None:
        alarms.append((left, partial(_stop, live, StopReason.TOTAL_TIMEOUT)))
    return alarms


def _seconds_left(live: LiveRun) -> float | None:
    """How long all attempts together may still take."""
    left = live.claimed.seconds_left
    return None if left is None else max(0.0, left - live.waited_seconds)


def _stop(live: LiveRun, reason: StopReason) -> None:
    live.stop(reason, asyncio.get_running_loop().time())


def _tell_soft(live: LiveRun) -> None:
    if live.stop_reason is None:
        live.tell(RunNotice.SOFT_TIMEOUT)


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
