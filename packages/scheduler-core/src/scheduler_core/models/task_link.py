"""A task that names another one otherwise than as a dependency within its flow."""

from enum import StrEnum

import msgspec


class LinkKind(StrEnum):
    """How one task names another."""

    INTERVAL = "INTERVAL"
    """It waits for intervals of the other."""
    SUB_FLOW = "SUB_FLOW"
    """It runs the flow of the other."""


class TaskLink(msgspec.Struct, frozen=True):
    """`task_id` names `other_task_id`."""

    task_id: int
    kind: LinkKind
    other_task_id: int
