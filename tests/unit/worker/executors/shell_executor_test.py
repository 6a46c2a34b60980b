"""Programs, their output, their exit codes and their end."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from fixtures.worker import CollectedOutput, eventually, make_context, processes_with
from scheduler_core.interfaces import RunContext, RunOutcome
from scheduler_core.models import TaskRunStatus
from scheduler_worker.containment import supervision
from scheduler_worker.executors.shell_executor import ShellExecutor

# A program of this machine that names a dynamic loader which is not there.
_WITHOUT_LOADER = Path("/bin/true").read_bytes().replace(b"/ld-", b"/no-")


@pytest.fixture(params=["groups", "no groups"])
async def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ShellExecutor]:
    """A shell executor that is patient for a short moment only, where control groups can be made and where not."""
    monkeypatch.setattr(supervision, "uses_groups", request.param == "groups")
    executor = ShellExecutor(kill_grace_seconds=0.5, environment=["PATH", "HARM*"])
    yield executor
    await executor.close()


async def stopped(run: "asyncio.Task[RunOutcome]") -> None:
    """Cancel a run and wait for its end."""
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


def unique_seconds() -> str:
    """An argument for sleep that no other process has."""
    return f"1000.{uuid4().int % 10**12}"


async def test_execute_keeps_output_and_exit_code(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput
) -> None:
    """A program that ends well is COMPLETED, and both its streams are kept apart."""
    outcome = await executor.execute({"command": ["sh", "-c", "echo out; echo err >&2"]}, context, output)

    assert (outcome.status, outcome.result, outcome.error) == (TaskRunStatus.COMPLETED, {"exit_code": 0}, None)
    assert (output.text("stdout"), output.text("stderr")) == ("out\n", "err\n")


async def test_execute_takes_shell_text_as_it_is(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput
) -> None:
    """Semicolons, pipes, ampersands, dollars and brackets mean what they mean in a shell (D14)."""
    command = 'a=$(echo one); (echo "$a" | tr a-z A-Z) && echo "two;|&"'

    outcome = await executor.execute({"command": command, "shell": True}, context, output)

    assert outcome.status is TaskRunStatus.COMPLETED
    assert output.text("stdout") == "ONE\ntwo;|&\n"


async def test_execute_fails_on_a_non_zero_exit(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput
) -> None:
    """A non-zero exit is FAILED, with the code and the last words of stderr (D9)."""
    outcome = await executor.execute({"command": ["sh", "-c", "echo no such file >&2; exit 3"]}, context, output)

    assert outcome.status is TaskRunStatus.FAILED
    assert outcome.error == "It ended with exit code 3. Last on stderr: no such file"
    assert (outcome.exit_code, outcome.output_end) == (3, "no such file\n")


async def test_execute_names_the_signal(executor: ShellExecutor, context: RunContext, output: CollectedOutput) -> None:
    """A program that a signal has ended is FAILED with the signal's name."""
    outcome = await executor.execute({"command": ["sh", "-c", "kill -SEGV $$"]}, context, output)

    assert (outcome.status, outcome.error) == (TaskRunStatus.FAILED, "It ended with signal SIGSEGV.")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"command": ["no-such-program-here"]}, "is not on the worker's PATH"),
        ({"command": ["/no/such/program"]}, "does not exist"),
        ({"command": ["/tmp/{name}/wrong-interpreter"]}, "names '/no/such/interpreter' in its first line"),
        ({"command": ["/tmp/{name}/no-interpreter"]}, "needs a first line such as #!/bin/sh"),
        ({"command": ["/tmp/{name}/windows"]}, "end as on Windows (CRLF)"),
        ({"command": ["/tmp/{name}/foreign"]}, "cannot be executed on this machine"),
        ({"command": ["/tmp/{name}/no-loader"]}, "needs a dynamic loader"),
        ({"command": ["/etc/passwd"]}, "is it marked as executable?"),
        ({"command": ["true"], "working_dir": "/no/such/dir"}, "The working directory '/no/such/dir' does not exist"),
        ({"command": ["true"], "working_dir": "/etc/hostname"}, "is not a directory"),
        ({"command": ["true", "x" * 3_000_000]}, "too long"),
    ],
)
async def test_execute_explains_what_cannot_be_started(
    parameters: dict[str, list[str]],
    words: str,
    executor: ShellExecutor,
    context: RunContext,
    output: CollectedOutput,
    tmp_path: Path,
) -> None:
    """What cannot be started is FAILED with the reason, never an exception."""
    files = {
        "wrong-interpreter": b"#!/no/such/interpreter\n",
        "no-interpreter": b"echo text\n",
        "windows": b"#!/bin/sh\r\necho text\r\n",
        "foreign": b"\x7fELF" + bytes(200),
        "no-loader": _WITHOUT_LOADER,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o755)
    parameters = {
        **parameters,
        "command": [word.replace("/tmp/{name}", str(tmp_path)) for word in parameters["command"]],
    }

    outcome = await executor.execute(parameters, context, output)

    assert outcome.status is TaskRunStatus.FAILED
    assert words in str(outcome.error)


async def test_execute_gives_the_run_and_no_secret(
    executor: ShellExecutor,
    context: RunContext,
    output: CollectedOutput,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job knows its run and what is listed of the worker's environment, but none of the worker's settings."""
    monkeypatch.setenv("SCHEDULER_DATABASE__URL", "postgresql://hunter2")
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    monkeypatch.setenv("HARMLESS", "kept")
    monkeypatch.setenv("UNLISTED", "dropped")

    await executor.execute(
        {"command": ["env"], "env": {"MINE": "yes", "SCHEDULER_RUN_ID": "forged"}, "working_dir": str(tmp_path)},
        context,
        output,
    )

    told = dict(line.split("=", 1) for line in output.text("stdout").splitlines())
    assert "hunter2" not in output.text("stdout")
    assert (told["MINE"], told["HARMLESS"]) == ("yes", "kept")
    assert "UNLISTED" not in told
    assert told["SCHEDULER_REPORT"] == f"{told.pop('SCHEDULER_RUN_DIR')}/report"
    assert {name: value for name, value in told.items() if name.startswith("SCHEDULER_")} == {
        "SCHEDULER_RUN_TOKEN": told["SCHEDULER_RUN_TOKEN"],
        "SCHEDULER_REPORT": told["SCHEDULER_REPORT"],
        "SCHEDULER_RUN_ID": "7",
        "SCHEDULER_ATTEMPT": "2",
        "SCHEDULER_TASK_NAME": "job",
        "SCHEDULER_NAMESPACE": "default",
        "SCHEDULER_FLOW_ID": "5",
        "SCHEDULER_SCHEDULED_AT": "2026-01-01T00:00:00+00:00",
    }
    assert told["TRACEPARENT"] == context.trace_context


async def test_execute_tells_the_data_interval(executor: ShellExecutor, output: CollectedOutput) -> None:
    """A run that belongs to a slot knows what it covers, in UTC; another run has no such variables (see above)."""
    context = msgspec.structs.replace(
        make_context(),
        interval_from=datetime(2026, 3, 28, 1, 30, tzinfo=UTC),
        interval_to=datetime(2026, 3, 29, 1, tzinfo=UTC),
    )

    await executor.execute({"command": ["env"]}, context, output)

    told = dict(line.split("=", 1) for line in output.text("stdout").splitlines())
    assert told["SCHEDULER_INTERVAL_FROM"] == "2026-03-28T01:30:00+00:00"
    assert told["SCHEDULER_INTERVAL_TO"] == "2026-03-29T01:00:00+00:00"


async def test_execute_tells_the_place_in_a_group(executor: ShellExecutor, output: CollectedOutput) -> None:
    """A run of a group knows its shard and, as JSON, its item; an item too large for a variable is left out."""
    context = msgspec.structs.replace(make_context(), shard_index=0, shard_total=3, item={"file": "ä.csv"})

    await executor.execute({"command": ["env"]}, context, output)
    large = CollectedOutput()
    outcome = await executor.execute({"command": ["env"]}, msgspec.structs.replace(context, item="x" * 300_000), large)

    told = dict(line.split("=", 1) for line in output.text("stdout").splitlines())
    assert (told["SCHEDULER_SHARD_INDEX"], told["SCHEDULER_SHARD_TOTAL"]) == ("0", "3")
    assert told["SCHEDULER_ITEM"] == '{"file":"ä.csv"}'
    assert outcome.status is TaskRunStatus.COMPLETED
    assert "SCHEDULER_ITEM=" not in large.text("stdout")


async def test_execute_has_an_empty_standard_input_and_the_working_dir(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput, tmp_path: Path
) -> None:
    """A job that reads gets the end of its input at once, and works where it was told to."""
    outcome = await executor.execute(
        {"command": "cat; pwd", "shell": True, "working_dir": str(tmp_path)}, context, output
    )

    assert outcome.status is TaskRunStatus.COMPLETED
    assert output.text("stdout") == f"{os.path.realpath(tmp_path)}\n"  # noqa: ASYNC240


async def test_execute_stops_the_whole_tree_when_it_is_cancelled(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput
) -> None:
    """After a cancel or a time-out no process of the run is alive, not even one that has left its session (D8, D10)."""
    argument = unique_seconds()
    command = f"sleep {argument} & setsid sleep {argument} & (setsid setsid sleep {argument} &) ; wait"
    run = asyncio.create_task(executor.execute({"command": ["bash", "-c", command]}, context, output))
    await eventually(lambda: len(processes_with(argument)) == 3)

    await stopped(run)

    assert processes_with(argument) == []


async def test_execute_is_cancelled_before_the_program_is_started(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput
) -> None:
    """A run that is cancelled while its program is being started leaves none behind."""
    argument = unique_seconds()
    run = asyncio.create_task(executor.execute({"command": ["sleep", argument]}, context, output))
    await asyncio.sleep(0)

    await stopped(run)
    # What was asked for before has been done by then.
    await executor.execute({"command": ["true"]}, make_context(8), output)

    assert processes_with(argument) == []
    await eventually(lambda: not supervision.directories.own.joinpath("7-2").exists())


async def test_execute_kills_who_ignores_the_request_to_end(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput
) -> None:
    """A job that ignores SIGTERM gets SIGKILL, after the grace and not before."""
    argument = unique_seconds()
    command = f"trap '' TERM; sleep {argument} & echo began; while :; do echo again; sleep 0.05; done"
    run = asyncio.create_task(executor.execute({"command": command, "shell": True}, context, output))
    await eventually(lambda: "began" in output.text("stdout"))
    began, before = time.monotonic(), len(output.written)

    await stopped(run)

    assert time.monotonic() - began >= 0.5
    assert len(output.written) > before
    assert processes_with(argument) == []


async def test_execute_lets_a_job_clean_up_before_it_ends(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput
) -> None:
    """Within the grace a job may end by itself, and what it says then is kept."""
    command = "trap 'echo cleaned; exit 0' TERM; echo began; sleep 60 & wait"
    run = asyncio.create_task(executor.execute({"command": command, "shell": True}, context, output))
    await eventually(lambda: output.text("stdout") == "began\n")

    await stopped(run)

    assert output.text("stdout") == "began\ncleaned\n"


async def test_execute_ends_when_the_command_does(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput
) -> None:
    """What a command leaves in its group ends with it and does not keep the run open by holding its output."""
    argument = unique_seconds()

    outcome = await executor.execute({"command": f"sleep {argument} & echo started", "shell": True}, context, output)

    assert outcome.status is TaskRunStatus.COMPLETED
    assert output.text("stdout") == "started\n"
    assert processes_with(argument) == []


async def test_execute_takes_a_flood(executor: ShellExecutor, context: RunContext, output: CollectedOutput) -> None:
    """A megabyte of output arrives whole, while the loop stays free for others."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    ticking = asyncio.create_task(tick())
    outcome = await executor.execute({"command": [sys.executable, "-c", "print('x' * 1_000_000)"]}, context, output)
    ticking.cancel()

    assert outcome.status is TaskRunStatus.COMPLETED
    assert output.text("stdout") == "x" * 1_000_000 + "\n"
    assert ticks > 3


async def test_kill_now_ends_all_jobs_from_any_thread(executor: ShellExecutor, output: CollectedOutput) -> None:
    """When the session is lost its jobs die at once, whatever the loop is doing."""
    argument = unique_seconds()
    runs = [
        asyncio.create_task(
            executor.execute(
                {"command": f"setsid sleep {argument} & sleep {argument}", "shell": True}, make_context(run_id), output
            )
        )
        for run_id in range(3)
    ]
    await eventually(lambda: len(processes_with(argument)) == 6)

    await asyncio.to_thread(executor.kill_now)

    assert processes_with(argument) == []
    assert {(await run).error for run in runs} == {"It ended with signal SIGKILL."}


def test_check_names_the_parameter() -> None:
    """A parameter of the wrong shape is told by its name."""
    (problem,) = ShellExecutor().check({"command": "date"})

    assert problem.startswith("command: A command in one string needs shell: true.")
