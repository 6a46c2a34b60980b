"""What a run may know of the runs that it waited for."""

from typing import Any

import msgspec

from scheduler_core.models.task_run import TaskRunStatus


class UpstreamRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run upstream, by the name of its task. `result` is JSON of any kind.

    `results` are those of a group's runs, in the order of their index, None for those without; None for a run that is
    no group.
    """

    task_name: str
    run_id: int
    status: TaskRunStatus
    result: Any = None
    results: tuple[Any, ...] | None = None


class RunInputs(msgspec.Struct, frozen=True, kw_only=True):
    """The runs directly upstream of a run, one for each task.

    `bytes_refused`: their results have so many bytes as JSON, more than can be handed on, and are left out.
    """

    run_id: int
    upstream: tuple[UpstreamRun, ...] = ()
    bytes_refused: int | None = None
