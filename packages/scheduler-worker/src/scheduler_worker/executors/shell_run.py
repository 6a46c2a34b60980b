"""One attempt of a shell task: what it is started with, and what its end means."""

import os
import signal
from collections.abc import Callable, Mapping
from typing import Any

from scheduler_core.decisions.size_text import size_text
from scheduler_core.interfaces import RunOutcome, RunOutput
from scheduler_core.models import RunProgress, TaskRunStatus
from scheduler_worker.containment.program import ending
from scheduler_worker.containment.run_directories import RunDirectory
from scheduler_worker.executors.child_process import ChildProcess
from scheduler_worker.executors.job_reports import JobReports

_END_BYTES = 2048
_READ_BYTES = 65_536
# As much as a pipe can hold.
_REST_BYTES_MAX = 1024 * 1024
_LAST_LINE_CHARS = 300

_SUPERVISOR_ENDED = "The supervisor of the worker's jobs ended while the job ran, and the job was killed."
_SIGNALS = {
    signal.SIGXCPU: " It has used the CPU time that its caps give it (cpu_seconds).",
    signal.SIGXFSZ: " It has written a file larger than its caps let it (file_size).",
    signal.SIGKILL: " The worker did not send it; the system does when it is out of memory.",
}


class JobOutput(RunOutput):
    """Passes output on and keeps the end of each stream, which usually says why a command failed."""

    def __init__(self, output: RunOutput) -> None:
        self._output = output
        self._ends: dict[str, bytes] = {}

    def write(self, stream: str, data: bytes) -> None:
        """See RunOutput."""
        self._ends[stream] = (self._ends.get(stream, b"") + data[-_END_BYTES:])[-_END_BYTES:]
        self._output.write(stream, data)

    def report(self, progress: RunProgress) -> None:
        """See RunOutput."""
        self._output.report(progress)

    @property
    def end(self) -> str:
        """The end of stdout and of stderr, 2 KiB each."""
        return "\n".join(text for stream in ("stdout", "stderr") if (text := self._text(stream)))

    @property
    def last_line(self) -> str:
        """The last line of stderr that is not empty."""
        lines = self._text("stderr").strip().splitlines()
        return lines[-1].strip()[-_LAST_LINE_CHARS:] if lines else ""

    def _text(self, stream: str) -> str:
        return self._ends.get(stream, b"").decode("utf-8", "replace")


class ReportReader:
    """Reads what a job reports, as it comes."""

    def __init__(self, directory: RunDirectory, reports: JobReports, add_reader: Callable[..., Any]) -> None:
        self._directory = directory
        self._reports = reports
        add_reader(directory.report, self._read)

    def finish(self, remove_reader: Callable[[int], Any]) -> JobReports:
        """All that was reported; what somebody who is no process of the job goes on writing is left."""
        taken = 0
        while taken < _REST_BYTES_MAX and (count := self._read()):
            taken += count
        remove_reader(self._directory.report)
        self._directory.close_report()
        self._reports.close()
        return self._reports

    def _read(self) -> int:
        try:
            data = os.read(self._directory.report, _READ_BYTES)
        except BlockingIOError:
            return 0
        self._reports.feed(data)
        return len(data)


def outcome_of(
    code: int, child: ChildProcess, told: JobOutput, reports: JobReports, limits: Mapping[str, int]
) -> RunOutcome:
    """What the end of a job means; what it asked for itself counts more than its exit code."""
    shared: Mapping[str, Any] = {"exit_code": code, "output_end": told.end}
    if child.end_cause == "supervisor":
        return RunOutcome(status=TaskRunStatus.FAILED, error=_SUPERVISOR_ENDED)
    if reports.outcome is not None:
        asked = reports.outcome
        return RunOutcome(
            status=asked.status,
            error=asked.error,
            result=reports.result,
            retryable=asked.retryable,
            retry_after_seconds=asked.retry_after_seconds,
            **shared,
        )
    if reports.problem is not None:
        return RunOutcome(status=TaskRunStatus.FAILED, error=reports.problem, retryable=False, **shared)
    result = {"exit_code": code} if reports.result is None else reports.result
    if code == 0:
        return RunOutcome(status=TaskRunStatus.COMPLETED, result=result, **shared)
    reason = "" if child.end_cause else _SIGNALS.get(-code, "")  # type: ignore[call-overload]
    if not child.end_cause and (memory := limits.get("memory")) is not None:
        # No signal tells of that: a program ends in its own way when it gets no more.
        reason += f" caps.memory is {size_text(memory)}; a program that wants more may end so."
    hint = f" Last on stderr: {told.last_line}" if told.last_line else ""
    return RunOutcome(
        status=TaskRunStatus.FAILED, result=result, error=f"It ended with {ending(code)}.{reason}{hint}", **shared
    )
