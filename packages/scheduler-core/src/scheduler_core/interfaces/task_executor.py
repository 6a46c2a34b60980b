"""What a worker can do with a run of one type."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from scheduler_core.models import RunKey, RunProgress, TaskRunStatus


class RunOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended: COMPLETED, FAILED, TIMEOUT, CANCELLED or SKIPPED.

    `result` is any JSON value. `error` is one precise sentence for everything but COMPLETED. `retryable` False
    means that trying again is useless. `retry_after_seconds`: the job asks to be tried again then, whatever the task's
    policy says of delays and conditions. By the others, as far as they are known, the policy tells which failures are
    tried again: the exit code of a program, the status of an HTTP response, the dotted names of the exception's class
    and those above it, the end of the output.
    """

    status: TaskRunStatus
    result: Any = None
    error: str | None = None
    retryable: bool = True
    retry_after_seconds: float | None = None
    exit_code: int | None = None
    http_status: int | None = None
    exception_types: tuple[str, ...] = ()
    output_end: str = ""


class RunNotice(StrEnum):
    """What a running job may be told."""

    SOFT_TIMEOUT = "SOFT_TIMEOUT"
    """It is to come to its end: it will be stopped soon."""
    PAUSE = "PAUSE"
    """It is to stand still, with all that it has started."""
    RESUME = "RESUME"
    """It is to go on."""


class RunContext(msgspec.Struct, frozen=True, kw_only=True):
    """What an executor may know of the attempt it carries out.

    `interval_from` and `interval_to` are the data interval, its end excluded, of a run that belongs to a slot. A run of
    a group has its place in it, `shard_index` of `shard_total`; `item` is the JSON value that a mapped run is for.
    """

    run_id: int
    attempt: int
    task_name: str
    namespace: str
    flow_id: int
    scheduled_at: datetime
    timeout_seconds: float | None
    trace_context: str | None = None
    interval_from: datetime | None = None
    interval_to: datetime | None = None
    shard_index: int | None = None
    shard_total: int | None = None
    item: Any = None


class RunOutput(Protocol):
    """Where an executor writes what the run prints. Never blocks, never raises; beyond the cap it only counts."""

    def write(self, stream: str, data: bytes) -> None:
        """Add bytes of "stdout", "stderr" or "log", whole lines or not."""

    def report(self, progress: RunProgress) -> None:
        """Show how far the job is; what is None or missing stays as it was told before."""


class TaskExecutor(Protocol):
    """Carries out runs of one task type. Found by the entry-point group scheduler.executors, keyed by type."""

    def check(self, parameters: Mapping[str, Any]) -> Sequence[str]:
        """Problems of the parameters as sentences beginning with the parameter's name; empty when they are fine.

        Pure and quick: no import of user code, no file access.
        """

    async def execute(self, parameters: Mapping[str, Any], context: RunContext, output: RunOutput) -> RunOutcome:
        """Carry out one attempt and say how it ended.

        Cancelling this coroutine, as happens after `context.timeout_seconds`, stops the job: everything it started is
        dead when the cancellation is done. Raises nothing of its own: a fault of the job is a FAILED outcome.
        """

    def notify(self, run: RunKey, notice: RunNotice) -> bool:  # noqa: ARG002 - for executors that can
        """Tell a job that is being carried out something; False where such jobs cannot be told that."""
        return False

    def kill_now(self) -> None:
        """Kill every child process at once, from any thread: the session is lost."""

    async def close(self) -> None:
        """Give back what the executor holds; nothing is executing any more."""
