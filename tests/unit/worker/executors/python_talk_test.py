"""What functions tell their run, by whichever way they are called, and what is made of it."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from fixtures.worker import CollectedOutput, make_context, processes_with
from scheduler_core.interfaces import RunOutcome
from scheduler_core.models import RunProgress, TaskRunStatus
from scheduler_worker.executors.python_children import ChildLimits
from scheduler_worker.executors.python_executor import PythonExecutor
from scheduler_worker.executors.python_protocol import ChildSettings

TESTS = str(Path(__file__).parents[3])


@pytest.fixture
async def executor() -> AsyncIterator[PythonExecutor]:
    """A python executor that finds the functions."""
    executor = PythonExecutor(kill_grace_seconds=0.5, children_max=1, settings=ChildSettings((TESTS,)))
    yield executor
    await executor.close()


async def call(
    executor: PythonExecutor, name: str, output: CollectedOutput, *args: object, **parameters: Any
) -> RunOutcome:
    """Call one of the functions."""
    named = {"callable": f"fixtures.asking_jobs:{name}", "args": list(args), **parameters}
    return await executor.execute(named, make_context(), output)


def value(outcome: RunOutcome) -> object:
    """The result as JSON gives it."""
    return msgspec.json.decode(msgspec.json.encode(outcome.result))


@pytest.mark.parametrize(
    ("name", "isolation"),
    [("report", "process"), ("report", "thread"), ("report_async", "async"), ("report_async", "process")],
)
async def test_worker_unit_python_progress_is_reported(
    name: str, isolation: str, executor: PythonExecutor, output: CollectedOutput
) -> None:
    """Progress arrives as it was reported, in its order."""
    await call(executor, name, output, isolation=isolation)

    assert output.reported == [
        RunProgress(share=0.5, text="half done", metrics={"rows": 12.0}),
        RunProgress(text="nearly"),
    ]


@pytest.mark.parametrize("isolation", ["process", "thread"])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ask_for_retry", (TaskRunStatus.FAILED, "The job asked to be tried again in 30 s: the file is not there yet")),
        ("ask_for_skip", (TaskRunStatus.SKIPPED, "nothing is new")),
        ("ask_for_failure", (TaskRunStatus.FAILED, "the order does not exist")),
    ],
)
async def test_worker_unit_python_asks_reach_the_outcome(
    name: str, expected: tuple[object, ...], isolation: str, executor: PythonExecutor, output: CollectedOutput
) -> None:
    """What a function asks for is the outcome of its run, without a traceback."""
    outcome = await call(executor, name, output, isolation=isolation)

    assert (outcome.status, outcome.error) == expected
    assert outcome.retry_after_seconds == (30 if name == "ask_for_retry" else None)
    assert outcome.retryable is (name == "ask_for_retry")
    assert output.text("stderr") == ""


@pytest.mark.parametrize("isolation", ["process", "thread"])
async def test_worker_unit_python_failures_are_told_with_their_classes(
    isolation: str, executor: PythonExecutor, output: CollectedOutput
) -> None:
    """By the classes of the exception and the end of the output a policy can tell which failures are tried again."""
    outcome = await call(executor, "fail_in_child_process", output, isolation=isolation)

    assert outcome.exception_types[:2] == ("subprocess.CalledProcessError", "subprocess.SubprocessError")
    assert outcome.output_end.endswith("returned non-zero exit status 1.\n")
    assert "asking_jobs.py" in output.text("stderr")
    assert "scheduler_worker" not in output.text("stderr")


@pytest.mark.parametrize(
    ("name", "argument", "exit_code"), [("leave", 3, 3), ("exit_with", 4, 4), ("exit_with", "text", 1)]
)
async def test_worker_unit_python_exit_codes_are_told(
    name: str, argument: object, exit_code: int, executor: PythonExecutor, output: CollectedOutput
) -> None:
    """However a function ends its process, the exit code is known."""
    outcome = await call(executor, name, output, argument)

    assert (outcome.status, outcome.exit_code) == (TaskRunStatus.FAILED, exit_code)


async def test_worker_unit_python_log_is_a_stream_of_its_own(executor: PythonExecutor, output: CollectedOutput) -> None:
    """What a sync function logs, in any thread, is in the stream log with level and logger, and not in stderr."""
    await call(executor, "log", output, 2)

    assert output.text("log").splitlines() == [
        "WARNING job: line 0",
        "WARNING job: line 1",
        "INFO job: from a thread",
    ]
    assert output.text("stderr") == ""


async def test_worker_unit_python_forks_log_to_stderr(executor: PythonExecutor, output: CollectedOutput) -> None:
    """A fork has no line to the worker, and what it logs is not lost."""
    await call(executor, "log_in_fork", output)

    assert output.text("stderr") == "WARNING job: from a fork\n"
    assert value(await call(executor, "identity", output, "next")) == "next"


async def test_worker_unit_python_bad_progress_fails_the_run(executor: PythonExecutor, output: CollectedOutput) -> None:
    """Progress that cannot be shown is told to the function, whose failure says what to report."""
    outcome = await call(executor, "report_badly", output)

    assert outcome.error == "ValueError: share is 1.5. Report how much is done as a number from 0 to 1."


async def test_worker_unit_python_bytes_that_are_no_text_pass(
    executor: PythonExecutor, output: CollectedOutput
) -> None:
    """Output that is no UTF-8 is passed on as it is."""
    outcome = await call(executor, "print_bytes", output)

    assert outcome.status is TaskRunStatus.COMPLETED
    assert output.written == [("stdout", b"a\xff\xfeb\n")]


async def test_worker_unit_python_memory_cap_takes_one_run(executor: PythonExecutor, output: CollectedOutput) -> None:
    """A function that wants more memory than its task allows fails, and the next one is not bound by that."""
    caps = {"memory": "512MB"}
    refused = await call(executor, "take_memory", output, 600 * 1024**2, caps=caps)
    fine = await call(executor, "take_memory", output, 600 * 1024**2)

    assert refused.error == "The function wanted more memory than caps.memory allows (512MB)."
    assert value(fine) == 600 * 1024**2


@pytest.mark.parametrize(
    ("limits", "size"), [(ChildLimits(memory_bytes_max=100 * 1024**2), 100 * 1024**2), (ChildLimits(1000, 0.0), 1024)]
)
async def test_worker_unit_python_children_are_replaced_when_large_or_old(
    limits: ChildLimits, size: int, output: CollectedOutput
) -> None:
    """A child that has grown beyond its bound, or is too old, is not used for another run."""
    executor = PythonExecutor(children_max=1, child_limits=limits, settings=ChildSettings((TESTS,)))
    try:
        ids = [value(await call(executor, "keep_memory", output, size, isolation="process")) for _ in range(2)]
    finally:
        await executor.close()

    assert ids[0] != ids[1]


async def test_worker_unit_python_children_stay_within_their_limits(
    executor: PythonExecutor, output: CollectedOutput
) -> None:
    """A child that is neither old nor large is used again: what was imported once is there."""
    ids = [value(await call(executor, "keep_memory", output, 1024, isolation="process")) for _ in range(3)]

    assert len(set(ids)) == 1


@pytest.mark.parametrize("name", ["leave_running", "leave_daemon"])
async def test_worker_unit_python_processes_end_with_their_run(
    name: str, executor: PythonExecutor, output: CollectedOutput
) -> None:
    """What a function has left running is gone when its run has ended well."""
    seconds = 10**6 + uuid4().int % 10**6

    outcome = await call(executor, name, output, seconds)

    assert value(outcome) == "left"
    assert processes_with(str(seconds)) == []


@pytest.mark.parametrize(("parameters", "is_here"), [({}, True), ({"caps": {"memory": "2GB"}}, False)])
async def test_worker_unit_python_caps_take_a_process(
    parameters: dict[str, Any], is_here: bool, executor: PythonExecutor, output: CollectedOutput
) -> None:
    """An async function is called in the worker, unless its task has caps, which need a process of its own."""
    outcome = await call(executor, "process_id", output, **parameters)

    assert (value(outcome) == os.getpid()) is is_here


async def test_worker_unit_python_warm_modules_are_there_before_the_call(
    output: CollectedOutput, tmp_path: Path
) -> None:
    """Modules are imported when a child is started; one that cannot be is told in the log of the first run only."""
    (tmp_path / "warmed.py").write_text("import sys\nsys.flags_of_test = 'warm'\n")
    (tmp_path / "asks.py").write_text("import sys\n\ndef main():\n    return sys.flags_of_test\n")
    settings = ChildSettings((str(tmp_path),), ("*",), ("no_such_module", "warmed"))
    executor = PythonExecutor(children_max=1, settings=settings)
    parameters = {"callable": "asks:main", "isolation": "process"}
    try:
        first = await executor.execute(parameters, make_context(), output)
        second = await executor.execute(parameters, make_context(), output)
    finally:
        await executor.close()

    assert (value(first), value(second)) == ("warm", "warm")
    assert output.text("log") == (
        "WARNING scheduler: Importing 'no_such_module' of worker.python_warm_modules failed with "
        "ModuleNotFoundError: No module named 'no_such_module'.\n"
    )


@pytest.mark.parametrize(
    ("name", "isolation", "words"),
    [
        ("identity", "async", "'fixtures.asking_jobs:identity' is no async function, so isolation cannot be async."),
        ("give_coroutine", "thread", "The function returned something to await."),
        ("report_async", "thread", "'fixtures.asking_jobs:report_async' is an async function"),
        ("tools.getpid", "process", "The module 'os' is not allowed on this worker"),
        ("tools.getpid", None, "The module 'os' is not allowed on this worker"),
        ("imported_getpid", "thread", "comes from 'posix', which is not allowed on this worker"),
    ],
)
async def test_worker_unit_python_refusals_are_final(
    name: str, isolation: str | None, words: str, executor: PythonExecutor, output: CollectedOutput
) -> None:
    """What cannot be called that way, or must not be called at all, is FAILED, and is not tried again."""
    outcome = await call(executor, name, output, isolation=isolation)

    assert (outcome.status, outcome.retryable) == (TaskRunStatus.FAILED, False)
    assert words in str(outcome.error)


async def test_worker_unit_python_foreign_modules_start_no_child(output: CollectedOutput) -> None:
    """A module that is not allowed is refused before any process is started for it."""
    executor = PythonExecutor(settings=ChildSettings(modules=("shop",)))
    try:
        outcome = await executor.execute({"callable": "os:getpid"}, make_context(), output)
        assert executor._children._holds_guard is False
    finally:
        await executor.close()

    assert outcome.error == (
        "The module 'os' is not allowed on this worker, whose worker.python_modules are shop. Its operator can add it "
        "there."
    )
