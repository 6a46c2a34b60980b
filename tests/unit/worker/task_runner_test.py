"""One run, from its claim to its report."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from fixtures.worker import CollectedOutput, build_claimed, build_version
from scheduler_core.interfaces import RunContext, RunOutcome, RunOutput
from scheduler_core.models import ClaimedRun, FinishedRun, RetryPolicy, TaskRunStatus, TaskVersion
from scheduler_worker.live_run import LiveRun, StopReason
from scheduler_worker.task_runner import TaskRunner

COMPLETED = RunOutcome(status=TaskRunStatus.COMPLETED)
FAILED = RunOutcome(status=TaskRunStatus.FAILED, error="no")


class FakeExecutor:
    """An executor that does what the test says, and remembers the parameters."""

    def __init__(self, act: Callable[[], Awaitable[RunOutcome]], problems: Sequence[str] = ()) -> None:
        self._act = act
        self._problems = problems
        self.parameters: Mapping[str, Any] | None = None

    def check(self, parameters: Mapping[str, Any]) -> Sequence[str]:
        """See TaskExecutor."""
        return self._problems

    async def execute(self, parameters: Mapping[str, Any], context: RunContext, output: RunOutput) -> RunOutcome:
        """See TaskExecutor."""
        self.parameters = parameters
        return await self._act()

    def kill_now(self) -> None:
        """See TaskExecutor."""

    async def close(self) -> None:
        """See TaskExecutor."""


def giving(outcome: RunOutcome | BaseException) -> FakeExecutor:
    """An executor that ends at once."""

    async def act() -> RunOutcome:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return FakeExecutor(act)


async def run(
    executor: FakeExecutor | None,
    claimed: ClaimedRun | None = None,
    version: TaskVersion | None = None,
    limit: int = 1000,
) -> FinishedRun | None:
    """Carry out a run with this executor."""
    runner = TaskRunner(lambda task_type: executor, result_limit_bytes=limit)
    return await runner.run(LiveRun(claimed or build_claimed(), 0.0), version or build_version(), CollectedOutput())


async def test_run_reports_the_result_as_json() -> None:
    """A result goes to the store as JSON text, with the fence and the need of settlement of the claim."""
    finished = await run(
        giving(RunOutcome(status=TaskRunStatus.COMPLETED, result={"a": [1]})), build_claimed(needs_settlement=True)
    )

    assert finished == FinishedRun(
        run_id=1, attempt=1, status=TaskRunStatus.COMPLETED, result='{"a":[1]}', needs_settlement=True
    )


async def test_run_merges_parameters_key_by_key() -> None:
    """A run's own parameters win over the task's; the other keys stay."""
    executor = giving(COMPLETED)

    await run(executor, build_claimed(parameters='{"b": 3}'), build_version(parameters={"a": 1, "b": {"deep": True}}))

    assert executor.parameters == {"a": 1, "b": 3}


async def test_run_without_executor_reports_nothing() -> None:
    """A type that this worker cannot run is for others."""
    assert await run(None) is None


@pytest.mark.parametrize(("failures", "delay"), [(0, 10.0), (1, 20.0)])
async def test_run_sends_the_delay_of_a_retry(failures: int, delay: float) -> None:
    """A failure is reported with the delay that its policy gives for the failures so far."""
    finished = await run(giving(FAILED), build_claimed(failures=failures), build_version(retry=RetryPolicy(jitter=0.0)))

    assert finished is not None
    assert finished.retry_delay_seconds == delay


async def test_run_does_not_retry_the_useless() -> None:
    """A failure that cannot go better has no delay."""
    finished = await run(giving(RunOutcome(status=TaskRunStatus.FAILED, error="no", retryable=False)))

    assert finished is not None
    assert finished.retry_delay_seconds is None


async def test_run_fails_on_wrong_parameters_without_trying() -> None:
    """Parameters that the executor refuses are a failure that no retry can cure."""
    executor = FakeExecutor(giving(COMPLETED)._act, ["command: is missing."])

    finished = await run(executor)

    assert finished is not None
    assert (finished.status, finished.error) == (TaskRunStatus.FAILED, "command: is missing.")
    assert (finished.retry_delay_seconds, executor.parameters) == (None, None)


async def test_run_survives_an_executor_that_raises() -> None:
    """An exception of an executor is a failure of the run, not of the worker."""
    finished = await run(giving(RuntimeError("broken\0here")))

    assert finished is not None
    assert finished.error == "The executor of task type 'fake' failed: RuntimeError: brokenhere."


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("x" * 2000, "The result has 2002 bytes as JSON; at most 1000 are stored"),
        ("a\0b", "NUL"),
        (object(), "cannot be written as JSON"),
        ("\ud800", "cannot be written as JSON"),
    ],
)
async def test_run_fails_when_the_result_cannot_be_stored(result: object, words: str) -> None:
    """A result that is too large or is no JSON makes the run FAILED, and trying again is useless."""
    finished = await run(giving(RunOutcome(status=TaskRunStatus.COMPLETED, result=result)))

    assert finished is not None
    assert (finished.status, finished.result, finished.retry_delay_seconds) == (TaskRunStatus.FAILED, None, None)
    assert words in str(finished.error)


async def test_run_keeps_a_backslash_before_u0000() -> None:
    """Text that only looks like an escaped NUL is stored."""
    finished = await run(giving(RunOutcome(status=TaskRunStatus.COMPLETED, result="\\u0000")))

    assert finished is not None
    assert finished.status is TaskRunStatus.COMPLETED


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (StopReason.CANCEL, TaskRunStatus.CANCELLED),
        (StopReason.DEADLINE, TaskRunStatus.TIMEOUT),
        (StopReason.HAND_BACK, None),
        (StopReason.LOST, None),
    ],
)
async def test_run_reports_why_it_was_stopped(reason: StopReason, status: TaskRunStatus | None) -> None:
    """A stopped run is reported as what stopped it, and not at all when it is for others."""

    async def act() -> RunOutcome:
        await asyncio.Event().wait()
        return COMPLETED

    live = LiveRun(build_claimed(), 0.0)
    runner = TaskRunner(lambda task_type: FakeExecutor(act), result_limit_bytes=1000)
    running = asyncio.create_task(runner.run(live, build_version(), CollectedOutput()))
    live.task = running  # type: ignore[assignment]
    await asyncio.sleep(0)

    live.stop(reason, 0.0)

    finished = await running
    assert (None if finished is None else finished.status) == status


async def test_run_reports_nothing_that_was_killed_with_its_session() -> None:
    """A job that failed because its lost session killed it has not failed."""
    live = LiveRun(build_claimed(), 0.0)
    live.stop(StopReason.LOST, 0.0)

    runner = TaskRunner(lambda task_type: giving(FAILED), result_limit_bytes=1000)
    assert await runner.run(live, build_version(), CollectedOutput()) is None
