"""One run, from its claim to its report."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from fixtures.worker import CollectedOutput, build_claimed, build_version
from scheduler_core.decisions.templates import render_parameters
from scheduler_core.interfaces import RunContext, RunNotice, RunOutcome, RunOutput
from scheduler_core.models import (
    ClaimedRun,
    FinishedRun,
    RetryPolicy,
    RunInputs,
    RunKey,
    RunOptions,
    TaskRunStatus,
    TaskVersion,
    UpstreamRun,
)
from scheduler_worker import parameter_templates
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
        self.notices: list[RunNotice] = []

    def check(self, parameters: Mapping[str, Any]) -> Sequence[str]:
        """See TaskExecutor."""
        return self._problems

    async def execute(self, parameters: Mapping[str, Any], context: RunContext, output: RunOutput) -> RunOutcome:
        """See TaskExecutor."""
        self.parameters = parameters
        return await self._act()

    def notify(self, run: RunKey, notice: RunNotice) -> bool:
        """Remember it."""
        self.notices.append(notice)
        return True

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


async def test_run_renders_templates_anew_for_each_run() -> None:
    """Each run of a version gets what its own templates give; the version's parameters stay as they are."""
    executor = giving(COMPLETED)
    version = build_version(parameters={"a": "{{ run.id }}", "b": ["{{ run.task }}-{{ interval is defined }}"]})
    runner = TaskRunner(lambda task_type: executor, result_limit_bytes=1000)

    for run_id in (7, 8):
        await runner.run(LiveRun(build_claimed(run_id), 0.0), version, CollectedOutput())
        assert executor.parameters == {"a": run_id, "b": ["job-false"]}

    assert version.parameters["a"] == "{{ run.id }}"


async def test_run_renders_templates_of_its_own_parameters() -> None:
    """A run's own parameters are templates, too, and see what is not overridden."""
    executor = giving(COMPLETED)

    await run(executor, build_claimed(parameters='{"b": "{{ params.a + 1 }}"}'), build_version(parameters={"a": 1}))

    assert executor.parameters == {"a": 1, "b": 2}


async def test_run_renders_what_upstream_runs_gave() -> None:
    """Templates over upstream runs see the inputs that were read for the run."""
    executor = giving(COMPLETED)
    upstream = UpstreamRun(task_name="extract", run_id=3, status=TaskRunStatus.COMPLETED, result={"rows": [1, 2]})
    live = LiveRun(build_claimed(), 0.0)
    live.inputs = RunInputs(run_id=1, upstream=(upstream,))
    version = build_version(parameters={"a": "{{ upstream.extract.result.rows }}"})
    runner = TaskRunner(lambda task_type: executor, result_limit_bytes=1000)

    assert runner.needs_inputs(live.claimed, version)
    await runner.run(live, version, CollectedOutput())

    assert executor.parameters == {"a": [1, 2]}


def test_needs_inputs_only_for_templates_over_upstream_runs() -> None:
    """Nothing is read for runs without templates, or whose templates ask for nothing upstream."""
    runner = TaskRunner(lambda task_type: None, result_limit_bytes=1000)
    plain = build_version(id=1, parameters={"a": "upstream"})
    own = build_version(id=2, parameters={"a": "{{ run.id }}"})

    assert not runner.needs_inputs(build_claimed(parameters='{"b": "upstream"}'), plain)
    assert not runner.needs_inputs(build_claimed(), own)
    assert runner.needs_inputs(build_claimed(parameters='{"b": "{{ upstream.x.result }}"}'), plain)


async def test_run_fails_on_a_template_without_a_value() -> None:
    """A template that cannot be rendered is a failure that no retry can cure; nothing is executed."""
    executor = giving(COMPLETED)

    finished = await run(executor, version=build_version(parameters={"args": ["{{ params.nope }}"]}))

    assert finished is not None
    assert (finished.status, finished.retry_delay_seconds) == (TaskRunStatus.FAILED, None)
    assert finished.error == "args.0: '{{ params.nope }}' cannot be rendered: params has no 'nope' (it has args)."
    assert executor.parameters is None


async def test_run_checks_rendered_parameters() -> None:
    """The executor judges what the templates have become, again for each run."""
    version = build_version(task_type="shell", parameters={"command": ["echo", "{{ item }}"]})
    checked: list[Mapping[str, Any]] = []

    class Checking(FakeExecutor):
        def check(self, parameters: Mapping[str, Any]) -> Sequence[str]:
            checked.append(parameters)
            return ["command: is odd."] if parameters["command"][1] == "3" else []

    runner = TaskRunner(lambda task_type: Checking(giving(COMPLETED)._act), result_limit_bytes=1000)
    statuses = []
    for item in ("2", "3"):
        finished = await runner.run(LiveRun(build_claimed(item=item), 0.0), version, CollectedOutput())
        assert finished is not None
        statuses.append(finished.status)

    # A number, as text: a command consists of texts.
    assert checked == [{"command": ["echo", "2"]}, {"command": ["echo", "3"]}]
    assert statuses == [TaskRunStatus.COMPLETED, TaskRunStatus.FAILED]


async def test_run_tells_the_executor_its_place_in_a_group() -> None:
    """The context has the shard and the item, decoded."""
    told: list[RunContext] = []

    class Telling(FakeExecutor):
        async def execute(self, parameters: Mapping[str, Any], context: RunContext, output: RunOutput) -> RunOutcome:
            told.append(context)
            return COMPLETED

    await run(Telling(giving(COMPLETED)._act), build_claimed(shard_index=1, shard_total=4, item='{"id": 5}'))

    assert (told[0].shard_index, told[0].shard_total, told[0].item) == (1, 4, {"id": 5})


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{% for a in range(9) %}{% endfor %}", 1),
        ("{{ params.value == params.value }}", [1]),
        ("{{ params.value in [params.value] }}", [1]),
        ("{{ params.value|sort }}", [2, 1]),
        ("{{ [1] + [params.value] }}", 1),
        ("{{ params.value }}", ["long"] * 5000),
        ("{{ params.value }} " * 40, "x" * 600),
    ],
)
async def test_run_renders_what_may_take_long_in_a_thread(
    template: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What may go through values again and again, or gives much, does not hold up the other runs of the worker."""
    assert await thread_rendering({"a": template, "value": value}, monkeypatch) == "worker"


@pytest.mark.parametrize(
    "template",
    [
        "{{ run.id }}",
        "{{ params.value }} of {{run.task}}",
        "{{ params.value|quote }}",
        "{{ run.scheduled_at|date('%Y') }}",
        "{{ params.none|default('no') | string }}",
    ],
)
async def test_run_renders_plain_values_at_once(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only puts in small values needs no thread."""
    await run(giving(COMPLETED), version=build_version(parameters={"a": "{{ run.id }}"}))

    assert await thread_rendering({"a": template, "value": "x"}, monkeypatch) == threading.main_thread().name


async def test_run_counts_its_own_parameters_and_item_among_what_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small template of the version that may give a large value of the run is rendered in a thread."""
    for claimed in (
        build_claimed(parameters=json.dumps({"value": "x" * 30_000})),
        build_claimed(item=json.dumps("x" * 30_000), shard_index=0, shard_total=1),
        build_claimed(parameters=json.dumps({"b": "{{ 1 in [1] }}"})),
    ):
        assert await thread_rendering({"a": "{{ run.id }}"}, monkeypatch, claimed) == "worker"


async def thread_rendering(
    parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch, claimed: ClaimedRun | None = None
) -> str:
    """The name of the thread in which the parameters of a run are rendered."""
    threads: list[str] = []

    def seen(*arguments: Any) -> dict[str, Any]:
        threads.append(threading.current_thread().name)
        return render_parameters(*arguments)

    monkeypatch.setattr(parameter_templates, "render_parameters", seen)
    await run(giving(COMPLETED), claimed, build_version(parameters=parameters))
    [name] = threads
    return name


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
        (StopReason.TIMEOUT, TaskRunStatus.TIMEOUT),
        (StopReason.TOTAL_TIMEOUT, TaskRunStatus.TIMEOUT),
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


async def test_run_is_cancelled_once_whatever_else_stops_it() -> None:
    """A time-out that ends during the grace of a cancel, or the worker's stop, does not break into that grace."""
    is_graceful = False

    async def act() -> RunOutcome:
        nonlocal is_graceful
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            is_graceful = True
        return COMPLETED

    live = LiveRun(build_claimed(), 0.0)
    runner = TaskRunner(lambda task_type: FakeExecutor(act), result_limit_bytes=1000)
    live.task = running = asyncio.create_task(  # type: ignore[assignment]
        runner.run(live, build_version(), CollectedOutput())
    )
    await asyncio.sleep(0)
    for reason in (StopReason.CANCEL, StopReason.TIMEOUT, StopReason.TOTAL_TIMEOUT, StopReason.HAND_BACK):
        live.stop(reason, 0.0)
        await asyncio.sleep(0)

    finished = await running
    assert finished is not None
    assert (finished.status, is_graceful) == (TaskRunStatus.CANCELLED, True)


async def test_run_does_not_begin_when_no_time_is_left() -> None:
    """An attempt that was claimed after the end of the time of all is a time-out, and its job does nothing."""
    executor = giving(COMPLETED)

    finished = await run(executor, build_claimed(seconds_left=-1.0))

    assert executor.parameters is None
    assert finished == FinishedRun(
        run_id=1,
        attempt=1,
        status=TaskRunStatus.TIMEOUT,
        error="total_timeout_seconds were over before this attempt had begun.",
    )


async def test_run_reports_nothing_that_was_killed_with_its_session() -> None:
    """A job that failed because its lost session killed it has not failed."""
    live = LiveRun(build_claimed(), 0.0)
    live.stop(StopReason.LOST, 0.0)

    runner = TaskRunner(lambda task_type: giving(FAILED), result_limit_bytes=1000)
    assert await runner.run(live, build_version(), CollectedOutput()) is None


def never_ending() -> FakeExecutor:
    """An executor that ends only when it is stopped."""

    async def act() -> RunOutcome:
        await asyncio.Event().wait()
        return COMPLETED

    return FakeExecutor(act)


async def carried_out(executor: FakeExecutor, claimed: ClaimedRun, version: TaskVersion) -> FinishedRun | None:
    """Carry out a run as a session does: in a task of its own, which can be stopped."""
    runner = TaskRunner(lambda task_type: executor, result_limit_bytes=1000)
    live = LiveRun(claimed, 0.0)
    reports: list[FinishedRun | None] = []

    async def carry_out() -> None:
        reports.append(await runner.run(live, version, CollectedOutput()))

    live.task = asyncio.create_task(carry_out())
    await asyncio.wait_for(live.task, 10)
    return reports[0]


async def test_run_stops_a_job_after_its_time_out() -> None:
    """The worker, not the executor, ends what takes too long; the report says so, and the run is tried again."""
    finished = await carried_out(never_ending(), build_claimed(), build_version(timeout_seconds=0.05))

    assert finished == FinishedRun(
        run_id=1,
        attempt=1,
        status=TaskRunStatus.TIMEOUT,
        error="It did not end within 0.05 s and was stopped.",
        retry_delay_seconds=10.0,
    )


async def test_run_stops_a_job_when_all_attempts_took_too_long() -> None:
    """What is left for all attempts together ends an attempt before its own time-out, and nothing follows."""
    options = RunOptions(total_timeout_seconds=60.0)
    finished = await carried_out(never_ending(), build_claimed(seconds_left=0.05), build_version(run_options=options))

    assert finished == FinishedRun(
        run_id=1,
        attempt=1,
        status=TaskRunStatus.TIMEOUT,
        error="Its attempts together took total_timeout_seconds (60 s); the last one did not end by then and was "
        "stopped.",
    )


async def test_run_tells_a_job_before_it_stops_it() -> None:
    """After the soft time-out the job is told once, and goes on until the hard one."""
    executor = never_ending()
    version = build_version(timeout_seconds=0.1, run_options=RunOptions(soft_timeout_seconds=0.02))

    finished = await carried_out(executor, build_claimed(), version)

    assert finished is not None
    assert (finished.status, executor.notices) == (TaskRunStatus.TIMEOUT, [RunNotice.SOFT_TIMEOUT])


async def test_run_takes_a_failure_while_it_is_stopped_for_the_stop() -> None:
    """A job whose executor reports the kill as a failure has run into its time-out all the same."""

    async def act() -> RunOutcome:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return FAILED
        return COMPLETED

    finished = await carried_out(FakeExecutor(act), build_claimed(), build_version(timeout_seconds=0.02))

    assert finished is not None
    assert finished.status is TaskRunStatus.TIMEOUT


async def test_run_is_not_tried_again_when_no_condition_fits() -> None:
    """With conditions, a failure that fits none of them is the last one; one that fits is tried again."""
    version = build_version(retry=RetryPolicy(jitter=0.0, on_exit_codes=(75,)))
    delays = []
    for code in (1, 75):
        executor = giving(RunOutcome(status=TaskRunStatus.FAILED, error="no", exit_code=code))
        finished = await run(executor, version=version)
        assert finished is not None
        delays.append(finished.retry_delay_seconds)

    assert delays == [None, 10.0]
