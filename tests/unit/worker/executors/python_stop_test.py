"""How functions hear that they are to end, and what becomes of those that do not listen."""

import asyncio
import contextlib
import gc
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from fixtures.worker import CollectedOutput, eventually, make_context
from scheduler_core.interfaces import RunNotice, RunOutcome
from scheduler_core.models import RunKey, TaskRunStatus
from scheduler_worker.executors.python_executor import PythonExecutor
from scheduler_worker.executors.python_protocol import ChildSettings

SETTINGS = ChildSettings(python_path=(str(Path(__file__).parents[3]),))
KEY = RunKey(make_context().run_id, make_context().attempt)


@pytest.fixture
async def executor() -> AsyncIterator[PythonExecutor]:
    """A python executor with one child and one thread, and much patience."""
    executor = PythonExecutor(kill_grace_seconds=30.0, children_max=1, threads_max=1, settings=SETTINGS)
    yield executor
    await executor.close()


def begin(
    executor: PythonExecutor, name: str, output: CollectedOutput, *args: object, isolation: str | None = None
) -> "asyncio.Task[RunOutcome]":
    """Begin to call one of the functions."""
    parameters = {"callable": f"fixtures.asking_jobs:{name}", "args": list(args), "isolation": isolation}
    return asyncio.create_task(executor.execute(parameters, make_context(), output))


def value(outcome: RunOutcome) -> object:
    """The result as JSON gives it."""
    return msgspec.json.decode(msgspec.json.encode(outcome.result))


async def still_size(path: Path) -> int:
    """The size of a file once it has stopped growing."""
    sizes = [-1]
    async with asyncio.timeout(10):
        while (now := os.stat(path).st_size) != sizes[-1]:  # noqa: PTH116 - a moment
            sizes.append(now)
            await asyncio.sleep(0.2)
    return sizes[-1]


@pytest.mark.parametrize(
    ("name", "isolation"),
    [
        ("wait_until_told", "process"),
        ("wait_until_told", "thread"),
        ("poll_until_told", "async"),
        ("poll_until_told", "process"),
    ],
)
async def test_worker_unit_python_soft_timeout_is_heard(
    name: str, isolation: str, executor: PythonExecutor, output: CollectedOutput, tmp_path: Path
) -> None:
    """Whatever a function is isolated by, it hears of its soft time-out, and may still end well."""
    mark = tmp_path / "mark"
    run = begin(executor, name, output, str(mark), isolation=isolation)
    await eventually(mark.exists)

    assert executor.notify(KEY, RunNotice.SOFT_TIMEOUT)

    assert value(await run) == "told"


@pytest.mark.parametrize("isolation", ["process", "thread"])
async def test_worker_unit_python_check_stop_ends_as_a_timeout(
    isolation: str, executor: PythonExecutor, output: CollectedOutput, tmp_path: Path
) -> None:
    """A function that lets check_stop end it has run into its soft time-out; the next run is not told anything."""
    mark = tmp_path / "mark"
    run = begin(executor, "stop_when_told", output, str(mark), isolation=isolation)
    await eventually(mark.exists)
    executor.notify(KEY, RunNotice.SOFT_TIMEOUT)

    outcome = await run

    assert (outcome.status, outcome.error) == (
        TaskRunStatus.TIMEOUT,
        "It ended itself when its soft time-out was over.",
    )
    after = await begin(executor, "wait_until_told", output, str(mark), 0.01, isolation=isolation)
    assert value(after) == "nobody told"


async def test_worker_unit_python_soft_timeout_before_the_call_is_not_lost(
    executor: PythonExecutor, output: CollectedOutput, tmp_path: Path
) -> None:
    """A run that waits for a free child hears of its soft time-out when it is called at last."""
    first, second = tmp_path / "first", tmp_path / "second"
    busy = begin(executor, "be_deaf", output, str(first), str(second))
    await eventually(first.exists)
    parameters = {"callable": "fixtures.asking_jobs:stop_when_told", "args": [str(first)], "isolation": "process"}
    waiting = asyncio.create_task(executor.execute(parameters, make_context(8), output))
    await eventually(lambda: RunKey(8, 2) in executor._live)

    executor.notify(RunKey(8, 2), RunNotice.SOFT_TIMEOUT)
    second.touch()

    await busy
    assert (await waiting).status is TaskRunStatus.TIMEOUT


async def test_worker_unit_python_cancel_while_a_child_is_replaced_is_not_lost(
    executor: PythonExecutor, output: CollectedOutput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is cancelled while the child before its own is being ended is not called any more."""
    await begin(executor, "leave_mark", output, str(tmp_path / "first"), isolation="process")
    (old,) = executor._children._idle
    old.started_at -= 1e6
    end, is_ending = old.end, asyncio.Event()

    async def ended(grace_seconds: float) -> int:
        is_ending.set()
        return await end(grace_seconds)

    monkeypatch.setattr(old, "end", ended)
    run = begin(executor, "leave_mark", output, str(tmp_path / "second"), isolation="process")
    await is_ending.wait()

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize(
    ("name", "isolation"), [("leave_mark", "process"), ("leave_mark", None), ("leave_mark_async", None)]
)
async def test_worker_unit_python_pause_before_the_call_is_not_lost(
    executor: PythonExecutor, output: CollectedOutput, tmp_path: Path, name: str, isolation: str | None
) -> None:
    """A run that is paused while it waits for a free child is not called until it is resumed.

    Also when the child is only to say what kind of function it is, and that is one for the worker itself.
    """
    first, second, path = tmp_path / "first", tmp_path / "second", tmp_path / "third"
    busy = begin(executor, "be_deaf", output, str(first), str(second), isolation="process")
    await eventually(first.exists)
    parameters = {"callable": f"fixtures.asking_jobs:{name}", "args": [str(path)], "isolation": isolation}
    waiting = asyncio.create_task(executor.execute(parameters, make_context(8), output))
    key = RunKey(8, 2)
    await eventually(lambda: key in executor._live and executor._live[key]._expects_child)

    assert executor.notify(key, RunNotice.PAUSE)
    second.touch()
    await busy
    done, _ = await asyncio.wait({waiting}, timeout=0.3)
    assert (done, path.exists()) == (set(), False)

    assert executor.notify(key, RunNotice.RESUME)
    assert (await waiting).status is TaskRunStatus.COMPLETED
    assert path.exists()


@pytest.mark.parametrize(
    ("name", "isolation"),
    [
        ("clean_up", "process"),
        ("clean_up_async", "process"),
        ("clean_up_async", "async"),
        ("check_at_the_end", "async"),
        ("wait_until_told", "process"),
        ("wait_until_told", "thread"),
        ("wait_in_thread", "process"),
    ],
)
async def test_worker_unit_python_cancel_lets_functions_clean_up(
    name: str, isolation: str, executor: PythonExecutor, output: CollectedOutput, tmp_path: Path
) -> None:
    """A function that is cancelled gets to its `finally`, whether it asks or not, and long before the kill."""
    mark = tmp_path / "mark"
    run = begin(executor, name, output, str(mark), isolation=isolation)
    await eventually(mark.exists)

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(20):
            await run

    assert not mark.exists()
    if name == "clean_up":
        assert output.text("stdout") == "cleaned up\n"


async def test_worker_unit_python_cancel_is_known_to_coroutines(
    executor: PythonExecutor, output: CollectedOutput, tmp_path: Path
) -> None:
    """A coroutine that catches its cancellation finds that a stop was requested."""
    mark = tmp_path / "mark"
    run = begin(executor, "hear_of_cancel", output, str(mark))
    await eventually(mark.exists)

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert mark.read_text() == "True"


async def test_worker_unit_python_thread_that_is_deaf_loses_its_place(
    output: CollectedOutput, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A thread that does not end is told in its run's log and in the worker's, and others get its place."""
    executor = PythonExecutor(kill_grace_seconds=0.05, threads_max=1, settings=SETTINGS)
    mark, release = tmp_path / "mark", tmp_path / "release"
    try:
        run = begin(executor, "be_deaf", output, str(mark), str(release), isolation="thread")
        await eventually(mark.exists)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        after = await begin(executor, "identity", output, "next", isolation="thread")
    finally:
        release.touch()
        await executor.close()

    assert value(after) == "next"
    assert "did not end within 0.05 s after it was asked to" in output.text("log")
    assert [record.message for record in caplog.records if record.name == "scheduler.worker"] == [
        "thread of a function does not end"
    ]


async def test_worker_unit_python_kill_now_tells_threads(
    executor: PythonExecutor, output: CollectedOutput, tmp_path: Path
) -> None:
    """When the session is lost, functions in threads hear that they are to end."""
    mark = tmp_path / "mark"
    run = begin(executor, "wait_until_told", output, str(mark), isolation="thread")
    await eventually(mark.exists)

    await asyncio.to_thread(executor.kill_now)

    assert value(await run) == "told"


async def test_worker_unit_python_foreign_sigterm_is_a_failure(
    executor: PythonExecutor, output: CollectedOutput
) -> None:
    """A SIGTERM that the worker has not sent fails the run, which may be tried again."""
    outcome = await begin(executor, "interrupt_itself", output)

    assert (outcome.status, outcome.retryable) == (TaskRunStatus.FAILED, True)
    assert outcome.error == "The function was interrupted by a SIGTERM that the worker had not sent."


async def test_worker_unit_python_pause_stops_the_process(
    executor: PythonExecutor, output: CollectedOutput, tmp_path: Path
) -> None:
    """A paused function does nothing until it is resumed, and can be cancelled while it stands still."""
    path = tmp_path / "count"
    run = begin(executor, "count", output, str(path), isolation="process")
    await eventually(path.exists)

    assert executor.notify(KEY, RunNotice.PAUSE)
    paused = await still_size(path)
    assert executor.notify(KEY, RunNotice.RESUME)
    await eventually(lambda: path.stat().st_size > paused)
    assert executor.notify(KEY, RunNotice.PAUSE)

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(20):
            await run


async def test_worker_unit_python_pause_needs_a_process(
    executor: PythonExecutor, output: CollectedOutput, tmp_path: Path
) -> None:
    """Functions in the worker itself cannot stand still, and runs that are not there cannot be told anything."""
    mark = tmp_path / "mark"
    run = begin(executor, "poll_until_told", output, str(mark))
    await eventually(mark.exists)

    told = [executor.notify(KEY, notice) for notice in (RunNotice.PAUSE, RunNotice.RESUME)]
    stranger = executor.notify(RunKey(99, 1), RunNotice.SOFT_TIMEOUT)

    run.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await run
    assert (told, stranger) == ([False, False], False)


async def test_worker_unit_python_cancelled_thread_keeps_others_apart(
    executor: PythonExecutor, output: CollectedOutput
) -> None:
    """A thread of the worker knows its run and prints into it; it is the worker's process, yet not its first thread."""
    told = value(await begin(executor, "run_in_thread", output, isolation="thread"))

    assert told == ["job", False, os.getpid()]
    assert output.text("stdout") == "printed\n"


async def test_worker_unit_python_runs_leave_nothing_to_the_garbage_collector(
    executor: PythonExecutor, output: CollectedOutput
) -> None:
    """What a coroutine's run was made of is gone with it: to find rings of objects costs more than the runs."""
    await begin(executor, "report_async", output, isolation="async")
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            await begin(executor, "report_async", output, isolation="async")
        assert gc.collect() < 50
    finally:
        gc.enable()
