"""Runs in requests and answers; a single run is written as core's TaskRun."""

from typing import Any

import msgspec

from scheduler_core.models import RunLogEntry, RunStatistics, SystemStatistics, TaskRun, WorkerSession
from scheduler_core.models.interval_wait import DependentRun

TRIGGER_COUNT_MAX = 10_000


class TriggerBody(msgspec.Struct, kw_only=True):
    """What a trigger may say: `parameters` win over the task's, key by key; `count` asks for so many runs.

    `background` runs come after all others, but for their guaranteed share.
    """

    parameters: dict[str, Any] | None = None
    count: int | None = None
    background: bool = False


class TriggeredRuns(msgspec.Struct, kw_only=True):
    """Runs that were born together and differ only in their ids: the first in full, and the ids of all.

    A root's id is also the id of its flow. `existing`: it was there already, and is the answer because the task's runs
    are unique.
    """

    first: TaskRun
    run_ids: list[int]
    existing: bool = False

    def single(self) -> dict[str, Any]:
        """The first run, marked when it is no new one."""
        return {**msgspec.structs.asdict(self.first), **({"existing": True} if self.existing else {})}

    def as_json(self) -> bytes:
        """The answer ``{"items": [...]}``; what all runs share is encoded once."""
        shared = {name: value for name, value in self.single().items() if name not in ("id", "flow_id")}
        tail = msgspec.json.encode(shared)[1:]
        items = b",".join([b'{"id":%d,"flow_id":%d,%b' % (run_id, run_id, tail) for run_id in self.run_ids])
        return b'{"items":[%b]}' % items


class ExistingRun(TaskRun, frozen=True, kw_only=True):
    """A run that is the answer to a trigger although it was there already: the task's runs are unique."""

    existing: bool


class TaskRunPage(msgspec.Struct, kw_only=True):
    """Runs, newest first."""

    items: list[TaskRun]
    next_cursor: str | None


class TaskRunItems(msgspec.Struct, kw_only=True):
    """The runs that a trigger with `count` has made."""

    items: list[TaskRun]


class ExistingRunItems(msgspec.Struct, kw_only=True):
    """The run that a trigger with `count` 1 has found."""

    items: list[ExistingRun]


class DependentRunItems(msgspec.Struct, kw_only=True):
    """Runs that had waited for the slot that a run stands for, newest first."""

    items: list[DependentRun]


class RunLogPage(msgspec.Struct, kw_only=True):
    """Pieces of a run's output in the order of (attempt, sequence); next_cursor is null at the present end."""

    items: list[RunLogEntry]
    next_cursor: str | None


class WorkerPage(msgspec.Struct, kw_only=True):
    """Worker sessions, newest first."""

    items: list[WorkerSession]
    next_cursor: str | None


class TaskStatistics(RunStatistics, frozen=True, kw_only=True):
    """A task's runs, counted."""

    task_id: int
    task_name: str


class SystemView(SystemStatistics, frozen=True, kw_only=True):
    """The whole system, counted by the database."""

    version: str
