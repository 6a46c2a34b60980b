"""Nothing of a job outlives its run, its worker, or the lease of its worker."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest

from fixtures.worker import CollectedOutput, eventually, make_context, processes_with
from scheduler_core.interfaces import RunContext, RunNotice
from scheduler_core.models import RunKey, TaskRunStatus
from scheduler_worker.containment import supervision, supervisor, supervisor_process
from scheduler_worker.containment.control_groups import ControlGroups, Leaf
from scheduler_worker.containment.worker_channel import WorkerChannel
from scheduler_worker.executors.python_executor import PythonExecutor
from scheduler_worker.executors.python_protocol import ChildSettings
from scheduler_worker.executors.shell_executor import ShellExecutor
from scheduler_worker.worker_error import LeaseEndedError

KEY = RunKey(7, 2)


@pytest.fixture(params=["groups", "no groups"])
def groups(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether control groups are used where they can be made."""
    monkeypatch.setattr(supervision, "uses_groups", request.param == "groups")
    return bool(request.param == "groups")


@pytest.fixture
async def executor(groups: bool) -> AsyncIterator[ShellExecutor]:
    """A shell executor that is patient for a short moment only."""
    executor = ShellExecutor(kill_grace_seconds=0.2)
    yield executor
    await executor.close()


@pytest.fixture
def argument() -> str:
    """An argument for sleep that no other process has."""
    return f"1000.{uuid4().int % 10**12}"


def tree(argument: str) -> dict[str, object]:
    """A job of three processes that sleep: in its group, out of its session, and without a parent of the run."""
    return {
        "command": ["bash", "-c", f"sleep {argument} & setsid sleep {argument} & (setsid sleep {argument} &); wait"]
    }


def states(pids: list[int]) -> set[str]:
    """The states of processes as /proc tells them."""
    return {Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in pids}


_WORKER = """
import asyncio, sys, time
from fixtures.worker import CollectedOutput, make_context
from scheduler_worker.containment import supervision
from scheduler_worker.executors.shell_executor import ShellExecutor

async def main():
    supervision.uses_groups = sys.argv[1] == "True"
    job = {"command": ["bash", "-c", sys.argv[2]]}
    run = asyncio.create_task(ShellExecutor().execute(job, make_context(), CollectedOutput()))
    while True:
        await asyncio.sleep(0.1)
        supervision.lease_extended(time.monotonic() + 1.0)

asyncio.run(main())
"""


def _python_path() -> str:
    return os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])


@contextmanager
def worker_process(groups: bool, argument: str, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process with a job of its own that renews a lease of one second ten times a second."""
    command = str(tree(argument)["command"][2])  # type: ignore[index]
    environment = {**os.environ, "PYTHONPATH": _python_path(), "TMPDIR": str(tmp_path)}
    worker = subprocess.Popen([sys.executable, "-c", _WORKER, str(groups), command], env=environment)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


async def test_jobs_die_with_a_worker_that_is_killed(groups: bool, argument: str, tmp_path: Path) -> None:
    """A worker killed with -9 leaves no process of its runs behind, and no directory."""
    with worker_process(groups, argument, tmp_path) as worker:
        await eventually(lambda: len(processes_with(argument)) == 3, seconds=20)
        worker.kill()
        worker.wait()
        await eventually(lambda: processes_with(argument) == [], seconds=2)

    await eventually(lambda: not list(tmp_path.glob("scheduler-runs-*/*")), seconds=5)


async def test_jobs_of_a_frozen_worker_die_at_the_end_of_its_lease(groups: bool, argument: str, tmp_path: Path) -> None:
    """Who cannot renew its lease loses its jobs when that ends and not before, though it does not run itself."""
    with worker_process(groups, argument, tmp_path) as worker:
        await eventually(lambda: len(processes_with(argument)) == 3, seconds=20)
        # Far longer than one lease it lives on renewals.
        alive_until = time.monotonic() + 1.2
        while time.monotonic() < alive_until:
            assert len(processes_with(argument)) == 3
            await asyncio.sleep(0.1)

        worker.send_signal(signal.SIGSTOP)

        await eventually(lambda: processes_with(argument) == [], seconds=3)
        assert states([worker.pid]) == {"T"}


async def test_nothing_is_started_after_the_end_of_the_lease(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a worker asks for that has slept through its lease is refused; with a new lease it works again."""
    monkeypatch.setattr(supervision, "_deadline", None)
    supervision.lease_extended(time.monotonic() - 1)
    with pytest.raises(LeaseEndedError):
        await executor.execute({"command": ["true"]}, context, output)
    supervision.lease_extended(time.monotonic() + 1000)
    again = await executor.execute({"command": ["true"]}, context, output)

    assert again.status is TaskRunStatus.COMPLETED


async def test_a_job_killed_at_the_end_of_the_lease_has_not_failed(
    executor: ShellExecutor,
    context: RunContext,
    output: CollectedOutput,
    argument: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is lost with its worker's lease, which no retry of the task pays for: programs and functions alike."""
    functions = PythonExecutor(settings=ChildSettings(modules=("subprocess",)))
    monkeypatch.setattr(supervision, "_deadline", None)
    supervision.lease_extended(time.monotonic() + 1000)
    function = {"callable": "subprocess:run", "args": [["sleep", argument]], "isolation": "process"}
    jobs = [
        asyncio.create_task(executor.execute({"command": ["sleep", argument]}, context, output)),
        asyncio.create_task(functions.execute(function, make_context(8), output)),
    ]
    try:
        await eventually(lambda: len(processes_with(argument)) == 2, seconds=20)
        supervision.lease_extended(time.monotonic() - 1)
        ends = await asyncio.wait_for(asyncio.gather(*jobs, return_exceptions=True), 20)
    finally:
        supervision.lease_extended(time.monotonic() + 1000)
        await functions.close()

    assert [type(end) for end in ends] == [LeaseEndedError, LeaseEndedError]


async def test_a_pause_stops_the_whole_tree(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput, argument: str
) -> None:
    """A paused job stands still with everything that it has started, goes on when told to, and dies when cancelled."""
    run = asyncio.create_task(executor.execute(tree(argument), context, output))
    await eventually(lambda: len(processes_with(argument)) == 3)
    pids = processes_with(argument)
    moving = CollectedOutput()
    ticking = asyncio.create_task(
        executor.execute({"command": "while :; do echo tick; sleep 0.01; done", "shell": True}, make_context(8), moving)
    )
    await eventually(lambda: "tick" in moving.text("stdout"))

    assert executor.notify(KEY, RunNotice.PAUSE)
    assert executor.notify(RunKey(8, 2), RunNotice.PAUSE)
    seen = -1
    async with asyncio.timeout(20):
        while len(moving.written) != seen:
            seen = len(moving.written)
            await asyncio.sleep(0.1)
    assert executor.notify(RunKey(8, 2), RunNotice.RESUME)
    await eventually(lambda: len(moving.written) > seen)

    for task in (run, ticking):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not set(pids) & set(processes_with(argument))


async def test_a_soft_time_out_reaches_the_first_process_only(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput
) -> None:
    """A job may come to its own end when it is told; nobody is told whose run is not carried out."""
    command = "trap 'echo told; exit 4' TERM; (trap 'echo no' TERM; while :; do sleep 0.02; done) & echo began; wait"
    run = asyncio.create_task(executor.execute({"command": ["bash", "-c", command]}, context, output))
    await eventually(lambda: output.text("stdout") == "began\n")

    await eventually(lambda: executor.notify(KEY, RunNotice.SOFT_TIMEOUT))
    assert not executor.notify(RunKey(9, 1), RunNotice.SOFT_TIMEOUT)

    assert (await run).exit_code == 4
    assert output.text("stdout") == "began\ntold\n"


async def test_jobs_die_with_the_supervisor_and_it_is_replaced(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput, argument: str
) -> None:
    """Without their supervisor jobs are killed and FAILED with that reason; the next run has a new one."""
    run = asyncio.create_task(executor.execute(tree(argument), context, output))
    await eventually(lambda: len(processes_with(argument)) == 3)

    await eventually(lambda: executor.notify(KEY, RunNotice.RESUME))
    killed = supervision.supervisor()
    os.kill(killed.pid, signal.SIGKILL)
    lost = await run
    again = await executor.execute({"command": ["true"]}, make_context(8), output)

    assert lost.error == "The supervisor of the worker's jobs ended while the job ran, and the job was killed."
    assert processes_with(argument) == []
    # The groups of the old one are gone, else the new one could not have made them again.
    assert supervision.supervisor().group_path == killed.group_path
    assert again.status is TaskRunStatus.COMPLETED


async def test_a_supervisor_that_cannot_be_started_fails_the_run(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is told, and the next run tries again."""
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", "/no/such/python")
        outcome = await executor.execute({"command": ["true"]}, context, output)
    again = await executor.execute({"command": ["true"]}, context, output)

    assert outcome.error == (
        "The supervisor of the worker's jobs cannot start them: No such file or directory. It is started again."
    )
    assert again.status is TaskRunStatus.COMPLETED


async def test_a_storm_of_forks_ends_with_its_run(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput, argument: str
) -> None:
    """Processes that start others all the time, each in a session of its own, are all dead after a cancel."""
    script = (
        f"f() {{ while :; do setsid sleep {argument} & sleep 0.01; done; }}; f & f & (setsid sleep {argument} &); f"
    )
    run = asyncio.create_task(executor.execute({"command": ["bash", "-c", script]}, context, output))
    await eventually(lambda: len(processes_with(argument)) > 10)

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert processes_with(argument) == []


async def test_one_run_ends_while_another_goes_on(executor: ShellExecutor, argument: str) -> None:
    """What a run leaves is killed at its end; what another has started is not touched."""
    other = argument + "1"
    going = asyncio.create_task(executor.execute(tree(other), make_context(1), CollectedOutput()))
    await eventually(lambda: len(processes_with(other)) == 3)

    outcome = await executor.execute(
        {"command": ["bash", "-c", f"setsid sleep {argument} & sleep {argument} & echo done"]},
        make_context(2),
        CollectedOutput(),
    )

    assert outcome.status is TaskRunStatus.COMPLETED
    assert processes_with(argument) == []
    assert len(processes_with(other)) == 3
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going


async def test_what_hides_its_origin_ends_with_its_run(executor: ShellExecutor, argument: str) -> None:
    """Without its session, its parents and its environment a process is still its run's, while others go on."""
    going = asyncio.create_task(executor.execute({"command": ["sleep", "1000"]}, make_context(1), CollectedOutput()))
    script = f"(env -i setsid sh -c '(sleep {argument}; :) & sleep {argument}; :' &); read x < <(sleep 0.1)"

    outcome = await executor.execute({"command": ["bash", "-c", script]}, make_context(2), CollectedOutput())

    assert outcome.exit_code == 1
    assert processes_with(argument) == []
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going


async def test_what_has_moved_to_another_group_ends_with_its_run(executor: ShellExecutor, argument: str) -> None:
    """A process that has left its group, as containers do, is killed at the end of its run; others go on."""
    going = asyncio.create_task(executor.execute({"command": ["sleep", "1000"]}, make_context(1), CollectedOutput()))
    await executor.execute({"command": ["true"]}, make_context(3), CollectedOutput())
    groups = supervision.supervisor().group_path or "/no/groups"
    moved = f"echo $$ > {Path(groups).parent}/cgroup.procs; echo moved; exec setsid sleep {argument}"
    output = CollectedOutput()

    outcome = await executor.execute(
        {"command": ["bash", "-c", f"bash -c '{moved}' & read x < <(sleep 0.3)"]}, make_context(2), output
    )

    assert (outcome.exit_code, output.text("stdout")) == (1, "moved\n")
    assert processes_with(argument) == []
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going


class FakeChannel:
    """The worker's answers, kept; it sends no descriptors."""

    def __init__(self) -> None:
        self.answers: list[tuple[object, ...]] = []

    def take_descriptors(self, count: int) -> list[int]:
        """None came."""
        return []

    def answer(self, *message: object) -> None:
        """Keep it."""
        self.answers.append(message)


class FakeGroups:
    """Leaves in a directory of the test, the first of which refuses all processes."""

    path = ""

    def __init__(self, path: Path) -> None:
        self.leaves = [Leaf(f"{path}/run-2"), Leaf(f"{path}/run-1")]
        (path / "run-1" / "cgroup.procs").mkdir(parents=True)
        (path / "run-2").mkdir()

    def take(self) -> Leaf:
        """The one that was given back last."""
        return self.leaves.pop()

    def give_back(self, leaf: Leaf) -> None:
        """Keep it."""
        self.leaves.append(leaf)


def test_a_group_that_has_refused_a_program_is_not_used_again(tmp_path: Path) -> None:
    """What a job has done to a group fails one start at most, not those of all that come after it."""
    channel, groups = FakeChannel(), FakeGroups(tmp_path)
    held = supervisor.Supervisor("token", cast(WorkerChannel, channel), -1, cast(ControlGroups, groups))

    for key in (1, 2):
        held._do(("start", key, b"", "/bin/true", ["true"], {}, None, 0, ({}, None, 1)))

    (refused, *_), (started, _, pid) = channel.answers
    os.waitpid(cast(int, pid), 0)
    assert (refused, started) == ("refused", "started")


async def test_a_supervisor_that_a_job_has_stopped_is_replaced(
    executor: ShellExecutor,
    context: RunContext,
    output: CollectedOutput,
    argument: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run can be cancelled though the supervisor stands still, and the next one has another supervisor."""
    monkeypatch.setattr(supervisor_process, "_SILENT_SECONDS", 0.3)
    monkeypatch.setattr(supervisor_process, "_SILENT_STILL_SECONDS", 0.2)
    run = asyncio.create_task(executor.execute(tree(argument), context, output))
    await eventually(lambda: len(processes_with(argument)) == 3)

    os.kill(supervision.supervisor().pid, signal.SIGSTOP)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(run, 10)
    again = await executor.execute({"command": ["true"]}, make_context(8), output)

    assert processes_with(argument) == []
    assert again.status is TaskRunStatus.COMPLETED


async def test_the_end_of_the_worker_kills_what_a_stopped_supervisor_holds(
    executor: ShellExecutor,
    context: RunContext,
    output: CollectedOutput,
    argument: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker that stops leaves no jobs, also where its supervisor does not answer any more."""
    monkeypatch.setattr(supervisor_process, "_LEAVE_SECONDS", 0.2)
    run = asyncio.create_task(executor.execute(tree(argument), context, output))
    await eventually(lambda: len(processes_with(argument)) == 3)

    os.kill(supervision.supervisor().pid, signal.SIGSTOP)
    await executor.close()

    assert processes_with(argument) == []
    assert (await run).exit_code is None


async def test_a_supervisor_that_was_late_hears_of_all_renewals_first(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No job dies because an old end of the lease is read before the new one."""
    monkeypatch.setattr(supervision, "_deadline", None)
    run = asyncio.create_task(
        executor.execute({"command": ["bash", "-c", "echo began; read x < <(sleep 0.5)"]}, context, output)
    )
    await eventually(lambda: output.text("stdout") == "began\n")
    stopped = supervision.supervisor()
    os.kill(stopped.pid, signal.SIGSTOP)
    for seconds in (-2.0, -1.0, 1000.0):
        supervision.lease_extended(time.monotonic() + seconds)
    os.kill(stopped.pid, signal.SIGCONT)

    assert (await run).exit_code == 1


async def test_reports_that_never_end_do_not_hold_the_worker(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput, tmp_path: Path
) -> None:
    """What another process goes on writing to the report channel keeps no run from its end."""
    path = tmp_path / "path"
    script = f'echo "$SCHEDULER_REPORT" > {path}; read x < <(sleep 0.3)'
    run = asyncio.create_task(executor.execute({"command": ["bash", "-c", script]}, context, output))
    await eventually(lambda: path.exists() and path.read_text().endswith("\n"))
    flood = await asyncio.create_subprocess_exec("bash", "-c", f"exec yes > {path.read_text().strip()} 2>&1")
    try:
        outcome = await asyncio.wait_for(run, 20)
    finally:
        with contextlib.suppress(ProcessLookupError):
            flood.kill()
        await flood.wait()

    assert outcome.exit_code == 1


@pytest.mark.parametrize("open_files", [0, 100])
async def test_a_job_gets_nothing_but_what_it_needs(
    executor: ShellExecutor, context: RunContext, output: CollectedOutput, open_files: int
) -> None:
    """No descriptor beyond the three, no new privileges, no core dumps, files for its user alone, no signal ignored.

    However many files the worker has open when it starts its supervisor.
    """
    command = (
        "ls /proc/self/fd; grep NoNewPrivs /proc/self/status; ulimit -c; umask; readlink /proc/self/fd/0;"
        "grep SigIgn /proc/self/status"
    )

    with contextlib.ExitStack() as files:
        for _ in range(open_files):
            files.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        await executor.execute({"command": ["bash", "-c", command]}, context, output)

    *told, ignored = output.text("stdout").split()
    # The last descriptor is what ls itself has opened.
    assert told == ["0", "1", "2", "3", "NoNewPrivs:", "1", "0", "0077", "/dev/null", "SigIgn:"]
    # Those above 31 are the C library's own.
    assert int(ignored, 16) & 0x7FFFFFFF == 0
