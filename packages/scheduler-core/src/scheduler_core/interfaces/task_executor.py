"""What a worker can do with a run of one type."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from scheduler_core.models import TaskRunStatus


class RunOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended: COMPLETED, FAILED, TIMEOUT or CANCELLED.

    `result` is any JSON value. `error` is one precise sentence for everything but COMPLETED. `retryable` False
    means that trying again is useless.
    """

    status: TaskRunStatus
    result: Any = None
    error: str | None = None
    retryable: bool = True


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


class TaskExecutor(Protocol):
    """Carries out runs of one task type. Found by the entry-point group scheduler.executors, keyed by type."""

    def check(self, parameters: Mapping[str, Any]) -> Sequence[str]:
        """Problems of the parameters as sentences beginning with the parameter's name; empty when they are fine.

        Pure and quick: no import of user code, no file access.
        """

    async def execute(self, parameters: Mapping[str, Any], context: RunContext, output: RunOutput) -> RunOutcome:
        """Carry out one attempt and say how it ended; enforce `context.timeout_seconds`.

        Cancelling this coroutine stops the job: everything it started is dead when the cancellation is done.
        Raises nothing of its own: a fault of the job is a FAILED outcome.
        """

    def kill_now(self) -> None:
        """Kill every child process at once, from any thread: the session is lost."""

    async def close(self) -> None:
        """Give back what the executor holds; nothing is executing any more."""
