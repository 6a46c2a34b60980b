"""The executor of the example, as a worker uses it."""

import asyncio
import importlib.util
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fixtures.worker import eventually
from scheduler_core.interfaces import RunContext, RunNotice, RunOutcome, TaskExecutor
from scheduler_core.models import RunKey, RunProgress, TaskRunStatus

_MODULE = Path(__file__).parents[3] / "examples/custom_executor/wait_for_file_executor.py"
KEY = RunKey(7, 1)


class Output:
    """What a run prints and reports."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.texts: list[str | None] = []

    def write(self, stream: str, data: bytes) -> None:
        """Keep it."""
        self.lines.append(f"{stream}: {data.decode()}")

    def report(self, progress: RunProgress) -> None:
        """Keep it."""
        self.texts.append(progress.text)


@pytest.fixture
def executor() -> TaskExecutor:
    """The one that the wheel brings."""
    spec = importlib.util.spec_from_file_location("wait_for_file_executor", _MODULE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: TaskExecutor = module.WaitForFileExecutor()
    return made


def begin(executor: TaskExecutor, output: Output, **parameters: Any) -> "asyncio.Task[RunOutcome]":
    """Carry out a run."""
    context = RunContext(
        run_id=KEY.run_id,
        attempt=KEY.attempt,
        task_name="delivery",
        namespace="default",
        flow_id=7,
        scheduled_at=datetime.now(UTC),
        timeout_seconds=None,
    )
    return asyncio.create_task(executor.execute({"look_seconds": 0.01, **parameters}, context, output))


async def test_examples_unit_custom_executor_ends_when_the_file_is_there(
    executor: TaskExecutor, tmp_path: Path
) -> None:
    """Large enough and no longer growing; what it waits for is told meanwhile."""
    path, output = tmp_path / "file", Output()
    run = begin(executor, output, path=str(path), bytes_min=3)
    path.write_text("12")
    await eventually(lambda: output.texts[-1:] == [f"{path} had 2 bytes"])
    assert not run.done()
    path.write_text("123")
    outcome = await asyncio.wait_for(run, 10)
    assert outcome.status is TaskRunStatus.COMPLETED
    assert (outcome.result["path"], outcome.result["bytes"]) == (str(path), 3)
    assert output.lines == [f"log: {path} is there with 3 bytes\n"]


async def test_examples_unit_custom_executor_stands_still_while_paused(executor: TaskExecutor, tmp_path: Path) -> None:
    """A paused run does not see the file; told to come to its end it fails with what it saw last."""
    path, output = tmp_path / "file", Output()
    run = begin(executor, output, path=str(path))
    await eventually(lambda: bool(output.texts))
    assert executor.notify(KEY, RunNotice.PAUSE)
    await asyncio.sleep(0.05)  # it comes to stand still
    path.touch()
    await asyncio.sleep(0.05)
    assert not run.done()
    path.unlink()
    assert executor.notify(KEY, RunNotice.RESUME)
    assert executor.notify(KEY, RunNotice.SOFT_TIMEOUT)
    outcome = await asyncio.wait_for(run, 10)
    assert (outcome.status, outcome.error) == (
        TaskRunStatus.FAILED,
        f"{path} was not there when the soft time-out came.",
    )
    assert not executor.notify(KEY, RunNotice.PAUSE)


async def test_examples_unit_custom_executor_fails_where_it_cannot_look(executor: TaskExecutor, tmp_path: Path) -> None:
    """A fault is an outcome with a sentence, and a cancelled run leaves nothing."""
    (tmp_path / "file").touch()
    outcome = await asyncio.wait_for(begin(executor, Output(), path=str(tmp_path / "file" / "below")), 10)
    assert (outcome.status, "cannot be looked at: Not a directory." in str(outcome.error)) == (
        TaskRunStatus.FAILED,
        True,
    )
    run = begin(executor, Output(), path=str(tmp_path / "gone"))
    await asyncio.sleep(0)
    run.cancel()
    await asyncio.wait({run})
    assert run.cancelled()
    assert not executor.notify(KEY, RunNotice.PAUSE)


@pytest.mark.parametrize(
    ("parameters", "problems"),
    [
        ({"path": "/data/x", "bytes_min": 1, "look_seconds": 0.5}, []),
        ({}, ["path is None."]),
        ({"path": "x"}, ["path is 'x'."]),
        ({"path": "/x", "bytes_min": True, "look_seconds": 0}, ["bytes_min is True.", "look_seconds is 0."]),
        ({"path": "/x", "file": 1}, ["file is not known."]),
    ],
)
def test_examples_unit_custom_executor_names_all_problems(
    executor: TaskExecutor, parameters: Mapping[str, Any], problems: list[str]
) -> None:
    """Each with the parameter, its value and what to do."""
    found = executor.check(parameters)
    assert [problem[: len(start)] for problem, start in zip(found, problems, strict=True)] == problems
