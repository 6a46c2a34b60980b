"""Programs and shell commands."""

import asyncio
import signal
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from scheduler_core.config import Settings
from scheduler_core.decisions.job_caps import cap_amounts
from scheduler_core.interfaces import RunContext, RunNotice, RunOutcome, RunOutput, TaskExecutor
from scheduler_core.models import RunKey, TaskRunStatus
from scheduler_worker.containment import supervision
from scheduler_worker.containment.marked_processes import MARK
from scheduler_worker.containment.program import JobUser, Program, start_problem
from scheduler_worker.containment.run_directories import RunDirectory
from scheduler_worker.containment.supervisor_process import SupervisorError
from scheduler_worker.executors.child_process import ChildProcess, ChildTable
from scheduler_worker.executors.job_environment import base_environment, job_environment, run_mark
from scheduler_worker.executors.job_reports import JobReports
from scheduler_worker.executors.job_user import closed_directory, job_user
from scheduler_worker.executors.parameter_check import parameter_problems
from scheduler_worker.executors.shell_run import JobOutput, ReportReader, outcome_of
from scheduler_worker.own_thread import in_own_thread
from scheduler_worker.worker_config import JOB_ENVIRONMENT, WorkerConfig

_SHELL = "/bin/sh"


class ShellExecutor(TaskExecutor):
    """Runs a program in a session and a control group of its own; its exit code decides, or what it reports itself.

    What the command leaves running ends with it, wherever it has gone. When it is cancelled everything it started is
    stopped: SIGTERM to the group, after the grace SIGKILL to all.
    """

    def __init__(
        self,
        kill_grace_seconds: float = 5.0,
        *,
        environment: Collection[str] = JOB_ENVIRONMENT,
        run_as_users: Collection[str] = (),
        result_limit_bytes: int = 1_048_576,
    ) -> None:
        self._grace_seconds = kill_grace_seconds
        self._environment = environment
        self._base: dict[str, str] = {}
        self._run_as_users = run_as_users
        self._result_limit_bytes = result_limit_bytes
        self._children = ChildTable()
        self._running: dict[RunKey, ChildProcess] = {}
        self._holds_supervisor = False

    @classmethod
    def from_settings(cls, settings: Settings) -> "ShellExecutor":
        """Made with the settings of the worker."""
        config = settings.section(WorkerConfig)
        return cls(
            config.kill_grace_seconds,
            environment=config.job_environment,
            run_as_users=config.run_as_users,
            result_limit_bytes=config.result_limit_bytes,
        )

    @classmethod
    def is_enabled(cls, settings: Settings) -> bool:
        """Whether the worker's operator lets tasks start programs."""
        return settings.section(WorkerConfig).shell_enabled

    def check(self, parameters: Mapping[str, Any]) -> Sequence[str]:
        """See TaskExecutor."""
        return parameter_problems("shell", parameters)

    async def execute(self, parameters: Mapping[str, Any], context: RunContext, output: RunOutput) -> RunOutcome:
        """See TaskExecutor; the result is what the job reports, or else {"exit_code": …}."""
        name = parameters.get("run_as")
        try:
            user = None if name is None else job_user(name, self._run_as_users)
        except ValueError as error:
            return _failed(str(error), retryable=False)
        if not self._holds_supervisor:
            self._holds_supervisor = True
            supervision.hold()
        try:
            directory = supervision.directories.make(
                f"{context.run_id}-{context.attempt}", *(() if user is None else (user.uid, user.gid))
            )
        except OSError as error:
            return _failed(
                f"No directory for the run can be made in '{supervision.directories.base}': "
                f"{error.strerror or error}. Make room there, or set worker.run_dir."
            )
        try:
            if user is not None and (closed := closed_directory(directory.path.resolve(), user)) is not None:
                return _failed(
                    f"run_as is '{user.name}', who may not pass through '{closed}' to the directory of the run. Let "
                    "that user do so (chmod o+x), or set worker.run_dir to a place that is open to it.",
                    retryable=False,
                )
            program = self._program(parameters, context, directory, user)
            return await self._carry_out(program, context, output, directory)
        finally:
            supervision.directories.discard(directory)

    def notify(self, run: RunKey, notice: RunNotice) -> bool:
        """See TaskExecutor; a pause reaches everything that the job has started, a soft time-out its first process."""
        child = self._running.get(run)
        if child is None:
            return False
        if notice is RunNotice.SOFT_TIMEOUT:
            child.tell(signal.SIGTERM)
        else:
            child.freeze(is_frozen=notice is RunNotice.PAUSE)
        return True

    def kill_now(self) -> None:
        """See TaskExecutor."""
        self._children.kill_all()

    async def close(self) -> None:
        """See TaskExecutor."""
        if self._holds_supervisor:
            self._holds_supervisor = False
            await in_own_thread(supervision.release)

    def _program(
        self, parameters: Mapping[str, Any], context: RunContext, directory: RunDirectory, user: JobUser | None
    ) -> Program:
        command = parameters["command"]
        if not self._base:
            self._base = base_environment(self._environment)
        environment = job_environment(self._base, context, parameters.get("env"), user)
        return Program(
            command=[_SHELL, "-c", command] if isinstance(command, str) else list(command),
            environment=environment
            | {"SCHEDULER_RUN_DIR": str(directory.path), "SCHEDULER_REPORT": str(directory.report_path)},
            mark=f"{MARK}={run_mark(context)}",
            working_dir=parameters.get("working_dir"),
            limits=cap_amounts(parameters.get("caps") or {}),
            user=user,
            nice=parameters.get("nice") or 0,
        )

    async def _carry_out(
        self, program: Program, context: RunContext, output: RunOutput, directory: RunDirectory
    ) -> RunOutcome:
        told = JobOutput(output)
        key = RunKey(context.run_id, context.attempt)
        try:
            try:
                child = await ChildProcess.start(
                    program, table=self._children, write=told.write, made=partial(self._running.__setitem__, key)
                )
            except SupervisorError as error:
                return _failed(str(error.strerror))
            except OSError as error:
                return _failed(start_problem(error, program))
            except ValueError as error:
                return _failed(f"The command cannot be started: {error}.", retryable=False)
            reports = await self._end_of(child, JobReports(output, self._result_limit_bytes), directory)
        finally:
            self._running.pop(key, None)
        return outcome_of(await child.wait(), child, told, reports, program.limits)

    async def _end_of(self, child: ChildProcess, reports: JobReports, directory: RunDirectory) -> JobReports:
        """All that the job has reported; it has ended."""
        loop = asyncio.get_running_loop()
        reader = ReportReader(directory, reports, loop.add_reader)
        try:
            await child.wait()
        except asyncio.CancelledError:
            await child.end(self._grace_seconds)
            raise
        finally:
            reader.finish(loop.remove_reader)
        return reports


def _failed(error: str, *, retryable: bool = True) -> RunOutcome:
    return RunOutcome(status=TaskRunStatus.FAILED, error=error, retryable=retryable)
