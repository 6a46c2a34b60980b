"""What a program may use, as whom it runs, and what it reports."""

import asyncio
import os
import pwd
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fixtures.worker import CollectedOutput, eventually
from scheduler_core.interfaces import RunContext, RunOutcome
from scheduler_core.models import RunProgress, TaskRunStatus
from scheduler_worker.containment import supervision
from scheduler_worker.containment.run_directories import RunDirectories
from scheduler_worker.executors.shell_executor import ShellExecutor

NOBODY = pwd.getpwnam("nobody")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


class ReportedOutput(CollectedOutput):
    """Keeps progress, too."""

    def __init__(self) -> None:
        super().__init__()
        self.progress: list[RunProgress] = []

    def report(self, progress: RunProgress) -> None:
        """Keep it."""
        self.progress.append(progress)


@pytest.fixture
def output() -> ReportedOutput:
    """An output that keeps everything."""
    return ReportedOutput()


@pytest.fixture
async def executor() -> AsyncIterator[ShellExecutor]:
    """An executor that lets jobs run as nobody, and takes small results."""
    executor = ShellExecutor(0.2, run_as_users=["nobody", "no-such-user"], result_limit_bytes=1000)
    yield executor
    await executor.close()


async def run(executor: ShellExecutor, context: RunContext, output: ReportedOutput, **parameters: object) -> RunOutcome:
    """Carry out a command of bash."""
    command = ["bash", "-c", str(parameters.pop("script"))]
    return await executor.execute({"command": command, **parameters}, context, output)


async def test_a_job_reports_progress_and_a_result(
    executor: ShellExecutor, context: RunContext, output: ReportedOutput
) -> None:
    """What is written to the report pipe is shown at once, and the last result takes the place of the exit code."""
    script = """
        echo '{"progress": 0.5, "text": "half"}' >> "$SCHEDULER_REPORT"
        while [ ! -e go ]; do sleep 0.01; done
        printf '{"result": {"rows": 12}}' >> "$SCHEDULER_REPORT"
    """
    go = supervision.directories.own / "7-2" / "go"
    running = asyncio.create_task(run(executor, context, output, script=f'cd "$SCHEDULER_RUN_DIR"; {script}'))
    await eventually(lambda: output.progress == [RunProgress(share=0.5, text="half")])
    go.touch()
    outcome = await running

    assert outcome.status is TaskRunStatus.COMPLETED
    assert bytes(outcome.result) == b'{"rows": 12}'
    assert outcome.exit_code == 0


@pytest.mark.parametrize(
    ("line", "code", "status", "error", "retryable", "after"),
    [
        ('{"skip": "no data"}', 0, TaskRunStatus.SKIPPED, "no data", True, None),
        ('{"fail": "bad input"}', 0, TaskRunStatus.FAILED, "bad input", False, None),
        (
            '{"retry_after": 30, "reason": "busy"}', 3, TaskRunStatus.FAILED,
            "The job asked to be tried again in 30 s: busy", True, 30.0,
        ),
    ],
)  # fmt: skip
async def test_a_job_asks_for_its_end(
    line: str,
    code: int,
    status: TaskRunStatus,
    error: str,
    retryable: bool,
    after: float | None,
    executor: ShellExecutor,
    context: RunContext,
    output: ReportedOutput,
) -> None:
    """Skip, failure for good and another attempt later count more than the exit code."""
    outcome = await run(executor, context, output, script=f"echo '{line}' >> \"$SCHEDULER_REPORT\"; exit {code}")

    assert (outcome.status, outcome.error, outcome.retryable) == (status, error, retryable)
    assert (outcome.retry_after_seconds, outcome.exit_code) == (after, code)


async def test_a_result_that_is_too_large_fails_the_run(
    executor: ShellExecutor, context: RunContext, output: ReportedOutput
) -> None:
    """The worker keeps no result beyond its limit, and says so."""
    script = """printf '{"result": "%0100000d"}\\n' 0 >> "$SCHEDULER_REPORT" """

    outcome = await run(executor, context, output, script=script)

    assert (outcome.status, outcome.retryable) == (TaskRunStatus.FAILED, False)
    assert "100" in str(outcome.error)


async def test_the_directory_of_a_run_is_private_and_goes_with_it(
    executor: ShellExecutor, context: RunContext, output: ReportedOutput
) -> None:
    """A job may leave there what it likes, also what it cannot read itself; none of it stays."""
    script = 'stat -c %a "$SCHEDULER_RUN_DIR"; mkdir -p "$SCHEDULER_RUN_DIR/a/b"; chmod 0 "$SCHEDULER_RUN_DIR/a"'

    await run(executor, context, output, script=script)

    assert output.text("stdout") == "700\n"
    await eventually(lambda: [path.name for path in supervision.directories.own.iterdir()] == ["owner.json"])


async def test_a_directory_that_cannot_be_made_fails_the_run(
    executor: ShellExecutor,
    context: RunContext,
    output: ReportedOutput,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A full disk is a reason that is told with the setting that helps."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "mkdir", full)
    outcome = await run(executor, context, output, script="true")

    assert outcome.status is TaskRunStatus.FAILED
    assert "No space left on device. Make room there, or set worker.run_dir." in str(outcome.error)


@pytest.mark.parametrize(
    ("caps", "script", "words"),
    [
        ({"memory": "200MB"}, "python3 -c 'bytearray(400 << 20)'", "Last on stderr: MemoryError"),
        ({"memory": "200MB"}, "exit 3", "exit code 3. caps.memory is 200MB; a program that wants more may end so."),
        ({"cpu_seconds": 1}, "while :; do :; done", "signal SIGXCPU. It has used the CPU time"),
        ({"open_files": 16}, "ulimit -n; exit 3", "exit code 3"),
        (
            {"file_size": "1MB"},
            'exec head -c 2M /dev/zero > "$SCHEDULER_RUN_DIR/file"',
            "signal SIGXFSZ. It has written",
        ),
    ],
)
async def test_caps_hold(
    caps: dict[str, object],
    script: str,
    words: str,
    executor: ShellExecutor,
    context: RunContext,
    output: ReportedOutput,
) -> None:
    """A job that wants more than its caps fails by itself, and the reason is told as far as it is known."""
    outcome = await run(executor, context, output, script=script, caps=caps)

    assert outcome.status is TaskRunStatus.FAILED
    assert words in str(outcome.error)
    if "open_files" in caps:
        assert output.text("stdout") == "16\n"


async def test_nice_and_own_limits_are_there_from_the_first_step(
    executor: ShellExecutor, context: RunContext, output: ReportedOutput
) -> None:
    """A program with limits of its own has them, its niceness, and everything that others have."""
    script = 'nice; ulimit -u; ulimit -c; umask; grep NoNewPrivs /proc/self/status; ls /proc/self/fd; echo "$0"'

    await run(executor, context, output, script=script, nice=5, caps={"processes": 321})

    assert output.text("stdout").split() == ["5", "321", "0", "0077", "NoNewPrivs:", "1", "0", "1", "2", "3", "bash"]


async def test_what_cannot_be_started_with_own_limits_is_explained(
    executor: ShellExecutor, context: RunContext, output: ReportedOutput
) -> None:
    """The reason arrives also from a program that becomes somebody first."""
    outcome = await executor.execute({"command": ["/etc/passwd"], "nice": 1}, context, output)

    assert outcome.error is not None
    assert "is it marked as executable?" in outcome.error


@as_root
async def test_run_as_changes_the_user(executor: ShellExecutor, context: RunContext, output: ReportedOutput) -> None:
    """The job is that user in every respect, with that user's home, and can write and report in its directory."""
    script = (
        'id -u; id -g; id -G; echo "$HOME $USER"; touch "$SCHEDULER_RUN_DIR/mine" && echo written;'
        """echo '{"result": 1}' >> "$SCHEDULER_REPORT" """
    )

    before = os.getgroups()
    os.setgroups([1, 2])
    try:
        outcome = await run(executor, context, output, script=script, run_as="nobody")
    finally:
        os.setgroups(before)

    assert outcome.status is TaskRunStatus.COMPLETED, outcome.error
    assert bytes(outcome.result) == b"1"
    assert output.text("stdout").splitlines() == [
        str(NOBODY.pw_uid), str(NOBODY.pw_gid), str(NOBODY.pw_gid), f"{NOBODY.pw_dir} nobody", "written",
    ]  # fmt: skip


@as_root
async def test_run_as_names_the_directory_that_is_closed_to_the_user(
    executor: ShellExecutor,
    context: RunContext,
    output: ReportedOutput,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job that could not report its result is not started: an operator hears what to change."""
    monkeypatch.setattr(supervision, "directories", RunDirectories("token"))
    with tempfile.TemporaryDirectory() as name:
        closed = Path(name)
        supervision.directories.base = closed / "runs"

        outcome = await run(executor, context, output, script="id", run_as="nobody")
        os.chmod(closed, 0o711)  # noqa: PTH101, S103 - a moment, to be passed through
        again = await run(executor, context, output, script="true", run_as="nobody")
        await executor.close()

    assert (outcome.status, outcome.retryable) == (TaskRunStatus.FAILED, False)
    assert f"who may not pass through '{closed}' to the directory" in str(outcome.error)
    assert (again.status, output.written) == (TaskRunStatus.COMPLETED, [])


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("root", "as whom this worker lets no job run: worker.run_as_users names no-such-user, nobody."),
        pytest.param("no-such-user", "a user that does not exist on this worker's host", marks=as_root),
    ],
)
async def test_run_as_somebody_else_is_refused(
    user: str, words: str, executor: ShellExecutor, context: RunContext, output: ReportedOutput
) -> None:
    """Only the worker's operator says as whom jobs run; trying again is of no use."""
    outcome = await run(executor, context, output, script="id", run_as=user)

    assert (outcome.status, outcome.retryable) == (TaskRunStatus.FAILED, False)
    assert words in str(outcome.error)
    assert output.written == []


async def test_invalid_text_is_passed_on_and_told(
    executor: ShellExecutor, context: RunContext, output: ReportedOutput
) -> None:
    """Output that is no UTF-8 keeps nothing from ending as it should."""
    outcome = await run(executor, context, output, script="printf '\\xff\\xfe' >&2; exit 5")

    assert outcome.error == "It ended with exit code 5. Last on stderr: ��"
    assert output.written == [("stderr", b"\xff\xfe")]


async def test_a_kill_from_elsewhere_is_told_as_such(
    executor: ShellExecutor, context: RunContext, output: ReportedOutput
) -> None:
    """Who is killed by the system for want of memory is told so."""
    outcome = await run(executor, context, output, script="kill -9 $$")

    assert outcome.error is not None
    assert outcome.error.startswith("It ended with signal SIGKILL. The worker did not send it;")
