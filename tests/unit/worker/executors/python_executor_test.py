"""Functions: async ones in the loop, sync ones in children."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from fixtures.worker import CollectedOutput, eventually, make_context, processes_with
from scheduler_core.interfaces import RunContext, RunOutcome
from scheduler_core.models import TaskRunStatus
from scheduler_worker.containment import supervision
from scheduler_worker.executors.python_children import ChildLimits
from scheduler_worker.executors.python_executor import PythonExecutor
from scheduler_worker.executors.python_protocol import ChildSettings
from scheduler_worker.worker_error import LeaseEndedError

SETTINGS = ChildSettings(python_path=(str(Path(__file__).parents[3]),))


@pytest.fixture
async def executor() -> AsyncIterator[PythonExecutor]:
    """A python executor that finds the example functions."""
    executor = PythonExecutor(kill_grace_seconds=0.5, children_max=2, child_limits=ChildLimits(3), settings=SETTINGS)
    yield executor
    await executor.close()


async def call(executor: PythonExecutor, name: str, output: CollectedOutput, *args: object, **told: Any) -> RunOutcome:
    """Call an example function in a run of its own; `told` replaces parts of its context."""
    parameters = {"callable": f"fixtures.example_jobs:{name}", "args": list(args)}
    return await executor.execute(parameters, msgspec.structs.replace(make_context(), **told), output)


def value(outcome: RunOutcome) -> object:
    """The result as JSON gives it."""
    return msgspec.json.decode(msgspec.json.encode(outcome.result))


@pytest.mark.parametrize("name", ["add", "add_async"])
async def test_execute_returns_the_result(name: str, executor: PythonExecutor, output: CollectedOutput) -> None:
    """What a function returns is the run's result, sync or async."""
    outcome = await executor.execute(
        {"callable": f"fixtures.example_jobs:{name}", "args": [2], "kwargs": {"b": 40}}, make_context(), output
    )

    assert (outcome.status, value(outcome)) == (TaskRunStatus.COMPLETED, 42)


async def test_execute_keeps_what_a_child_prints(executor: PythonExecutor, output: CollectedOutput) -> None:
    """Everything a sync function and its own children print is kept with its run."""
    outcome = await call(executor, "speak", output)

    assert value(outcome) == "7"
    assert sorted(output.text("stdout").splitlines()) == ["from a child", "from print"]
    assert output.text("stderr") == "from stderr\n"


async def test_execute_keeps_apart_what_coroutines_print(executor: PythonExecutor) -> None:
    """Async functions that run at once have their prints and logs in their own runs, and nobody else's."""
    outputs = [CollectedOutput() for _ in range(5)]

    await asyncio.gather(*(call(executor, "speak_async", each, f"word{n}") for n, each in enumerate(outputs)))
    print("outside")

    for n, each in enumerate(outputs):
        assert each.text("stdout") == f"word{n}\n"
        assert each.text("stderr") == f"word{n}\n"
        assert each.text("log") == f"WARNING job: logged word{n}\n"


async def test_close_gives_the_standard_streams_back(output: CollectedOutput) -> None:
    """After the executor is closed the process prints as before."""
    before = sys.stdout, sys.stderr
    executor = PythonExecutor(settings=SETTINGS)
    await call(executor, "speak_async", output, "word")
    assert sys.stdout is not before[0]

    await executor.close()

    assert (sys.stdout, sys.stderr) == before


@pytest.mark.parametrize("name", ["fail", "fail_async"])
async def test_execute_fails_with_the_exception(name: str, executor: PythonExecutor, output: CollectedOutput) -> None:
    """An exception is FAILED in one sentence, and its traceback is in the output."""
    outcome = await call(executor, name, output)

    assert (outcome.status, outcome.error) == (TaskRunStatus.FAILED, "ValueError: no good.")
    assert 'raise ValueError("no good")' in output.text("stderr")
    assert "scheduler_worker" not in output.text("stderr")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("leave_async", "The function ended itself with sys.exit(3)."),
        ("cancel_itself", "CancelledError."),
        ("NOT_A_FUNCTION", "is a int and cannot be called"),
        ("missing", "'fixtures.example_jobs' has no attribute 'missing'."),
        ("die", "The process that ran the function ended with signal SIGKILL before it returned."),
        ("give_object", "What the function returned (object) cannot be written as JSON"),
        ("fail_silently", "SilentError."),
        ("fail_unprintably", "ValueError: ab?xxx"),
        ("give_nested", "The result is no readable JSON: "),
        ("give_broken_text", "The result is no readable JSON: "),
    ],
)
async def test_execute_says_precisely_what_failed(
    name: str, words: str, executor: PythonExecutor, output: CollectedOutput
) -> None:
    """Whatever a function does, its run is FAILED with the reason and the worker lives on."""
    outcome = await call(executor, name, output)

    assert outcome.status is TaskRunStatus.FAILED
    assert words in str(outcome.error)
    assert value(await call(executor, "add", output, 1)) == 2


async def test_execute_answers_once_when_a_function_forks(output: CollectedOutput) -> None:
    """A fork that returns as well gives no second answer, which the next run would take for its own."""
    executor = PythonExecutor(children_max=1, settings=SETTINGS)
    try:
        results = [value(await call(executor, "add", output, 0))]
        results.append(value(await call(executor, "fork_and_return", output)))
        results += [value(await call(executor, "add", output, number)) for number in range(10, 20)]
    finally:
        await executor.close()

    assert results == [1, "parent", *range(11, 21)]


async def test_execute_notices_the_end_of_a_child_whose_fork_lives(
    executor: PythonExecutor, output: CollectedOutput
) -> None:
    """A child that ended is noticed although a fork that left its session holds the line to the worker open."""
    began = time.monotonic()

    outcome = await call(executor, "fork_and_leave", output)

    assert outcome.error == "The process that ran the function ended with exit code 3 before it returned."
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("name", ["close_streams", "replace_stdout", "change_directory"])
async def test_execute_uses_no_child_that_was_changed(name: str) -> None:
    """What a function does to the standard streams and the working directory of its process stays with its run."""
    executor = PythonExecutor(children_max=1, settings=SETTINGS)
    output = CollectedOutput()
    try:
        before = value(await call(executor, "say", output, "before"))
        changed = await call(executor, name, output)
        after = value(await call(executor, "say", output, "after"))
    finally:
        await executor.close()

    assert changed.status is TaskRunStatus.COMPLETED
    assert (after, output.text("stdout")) == (before, "before\nafter\n")


async def test_execute_keeps_large_results_out_of_the_worker(output: CollectedOutput) -> None:
    """A result beyond the limit is refused in the child already: it never takes the worker's memory."""
    executor = PythonExecutor(children_max=1, settings=SETTINGS, result_limit_bytes=5000)
    try:
        outcome = await call(executor, "text", output, "x", 5000)
    finally:
        await executor.close()

    assert (outcome.status, outcome.retryable) == (TaskRunStatus.FAILED, False)
    assert "The result has 5002 bytes as JSON; at most 5000 are stored" in str(outcome.error)


async def test_execute_names_the_missing_module(
    executor: PythonExecutor, context: RunContext, output: CollectedOutput
) -> None:
    """A module that is not there is FAILED with its name and where to put it."""
    outcome = await executor.execute({"callable": "no_such_module:main"}, context, output)

    assert outcome.status is TaskRunStatus.FAILED
    assert outcome.error is not None
    assert outcome.error.startswith("There is no module 'no_such_module' on this worker.")


async def test_execute_sees_a_module_that_was_repaired(tmp_path: Path, output: CollectedOutput) -> None:
    """A module that could not be imported is read again after it was corrected, without a restart."""
    executor = PythonExecutor(settings=ChildSettings((str(tmp_path),)))
    module = tmp_path / f"repaired_{uuid4().hex}.py"
    parameters = {"callable": f"{module.stem}:main"}
    try:
        module.write_text("import no_such_module_either\n")
        broken = await executor.execute(parameters, make_context(), output)
        module.write_text("def main() -> int:\n    return 5\n")
        repaired = await executor.execute(parameters, make_context(), output)
    finally:
        await executor.close()

    assert broken.error == f"The module '{module.stem}' needs 'no_such_module_either', which is not installed."
    assert value(repaired) == 5


async def test_execute_reuses_children_up_to_their_limit(executor: PythonExecutor, output: CollectedOutput) -> None:
    """A child is used again, and replaced after the number of runs it was given."""
    ids = [value(await call(executor, "process_id", output)) for _ in range(5)]

    # The question what kind of function it is was the first of the three.
    assert ids[0] == ids[1]
    assert ids[2] == ids[3] == ids[4] != ids[0]


@pytest.mark.parametrize(("job", "isolation"), [("speak_async", "async"), ("print_word", "thread")])
async def test_worker_unit_python_begins_nothing_in_the_worker_after_the_lease(
    job: str, isolation: str, executor: PythonExecutor, output: CollectedOutput
) -> None:
    """What was looked up before the worker stood still is not called when it goes on, late, before it is told."""
    parameters = {"callable": f"fixtures.example_jobs:{job}", "args": ["word"], "isolation": isolation}
    await executor.execute(parameters, make_context(), output)
    before = output.text("stdout")
    assert before == "word\n"

    supervision.lease_extended(time.monotonic() - 0.001)
    with pytest.raises(LeaseEndedError):
        await executor.execute(parameters, make_context(), output)

    assert output.text("stdout") == before
    supervision.lease_extended(time.monotonic() + 60)
    await executor.execute(parameters, make_context(), output)
    assert output.text("stdout") == 2 * before


@pytest.mark.parametrize("name", ["run_name", "run_name_async"])
async def test_current_run_tells_a_function_its_run(
    name: str, executor: PythonExecutor, output: CollectedOutput
) -> None:
    """A function can ask which run it is executed in."""
    assert value(await call(executor, name, output)) == "job"


@pytest.mark.parametrize("name", ["run_interval", "run_interval_async"])
async def test_current_run_tells_a_function_its_data_interval(
    name: str, executor: PythonExecutor, output: CollectedOutput
) -> None:
    """A function can ask what its run covers; a run that belongs to no slot covers nothing."""
    start, end = datetime(2026, 3, 28, 1, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)
    outcome = await call(executor, name, output, interval_from=start, interval_to=end)
    assert value(outcome) == [start.isoformat(), end.isoformat()]
    assert value(await call(executor, name, output)) is None


async def test_execute_stops_a_function_that_holds_the_interpreter(
    executor: PythonExecutor, output: CollectedOutput
) -> None:
    """A C call that never gives the interpreter's lock back holds up neither the worker's loop nor the stop."""
    await call(executor, "add", output, 1)
    gaps = []

    async def tick() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            gaps.append(time.monotonic() - began)

    ticking = asyncio.create_task(tick())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await call(executor, "hold_interpreter", output, 60)
    ticking.cancel()

    assert max(gaps) < 1.0


async def test_execute_stops_what_a_function_has_started(executor: PythonExecutor, output: CollectedOutput) -> None:
    """A process that a function has started, and that has left its session, ends with its run too."""
    seconds = 10**6 + uuid4().int % 10**6
    run = asyncio.create_task(call(executor, "start_escaping", output, seconds))
    await eventually(lambda: bool(processes_with(str(seconds))))

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert processes_with(str(seconds)) == []


async def test_execute_is_cancelled_with_its_child(executor: PythonExecutor, output: CollectedOutput) -> None:
    """Cancelling the run of a sync function kills the child, and the place in the pool is free again."""
    for _ in range(3):
        run = asyncio.create_task(call(executor, "sleep", output, 600))
        await eventually(lambda: any(live._child for live in executor._live.values()))
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    assert value(await call(executor, "add", output, 1)) == 2


async def test_kill_now_ends_all_children(executor: PythonExecutor, output: CollectedOutput) -> None:
    """When the session is lost the children die at once."""
    await call(executor, "add", output, 1)
    run = asyncio.create_task(call(executor, "sleep", output, 600))
    await eventually(lambda: any(live._child for live in executor._live.values()))

    await asyncio.to_thread(executor.kill_now)

    outcome = await run
    assert outcome.error == "The process that ran the function ended with signal SIGKILL before it returned."
