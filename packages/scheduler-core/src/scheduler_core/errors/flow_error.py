"""Flows and groups that are missing or in the wrong state."""

from scheduler_core.errors.repository_error import ConflictError, NotFoundError


class FlowNotFoundError(NotFoundError):
    """No flow has this id, which is the id of its root run."""

    def __init__(self, flow_id: int | str, belongs_to: int | None = None) -> None:
        remedy = f" Run {flow_id} belongs to flow {belongs_to}." if belongs_to is not None else ""
        super().__init__(f"There is no flow {flow_id}.{remedy}")
        self.flow_id = flow_id


class FlowStateError(ConflictError):
    """The flow's status does not allow what was asked."""

    def __init__(self, flow_id: int, status: str, wish: str) -> None:
        super().__init__(f"Flow {flow_id} is {status} and cannot be {wish}.")
        self.flow_id = flow_id
        self.status = status


class GroupNotFoundError(NotFoundError):
    """The run stands for no other runs."""

    def __init__(self, run_id: int, task_name: str) -> None:
        super().__init__(
            f"Run {run_id} of '{task_name}' is no group. Groups are the runs of tasks with shards, map_over, broadcast "
            "or sub_flow that belong to no group of that task themselves."
        )
        self.run_id = run_id
