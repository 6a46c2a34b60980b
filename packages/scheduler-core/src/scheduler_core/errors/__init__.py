"""What can go wrong across a seam: every error that one room raises and another may answer."""

from scheduler_core.errors.component_error import ComponentFailedError, ComponentMissingError
from scheduler_core.errors.config_error import ConfigError, UnknownConfigKeyError
from scheduler_core.errors.flow_error import FlowNotFoundError, FlowStateError, GroupNotFoundError
from scheduler_core.errors.invalid_input_error import InvalidInputError, Problem
from scheduler_core.errors.limit_error import LimitInUseError, LimitNameTakenError, LimitNotFoundError
from scheduler_core.errors.message_queue_error import MessageQueueError, MessageQueueUnavailableError
from scheduler_core.errors.repository_error import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    RepositoryError,
    SchemaVersionError,
    StoreUnavailableError,
)
from scheduler_core.errors.scheduler_error import SchedulerError
from scheduler_core.errors.task_error import TaskHasDependentsError, TaskNameTakenError, TaskNotFoundError
from scheduler_core.errors.task_run_error import (
    IllegalTransitionError,
    QuarantineDecidedError,
    TaskRunNotFoundError,
    TaskRunStateError,
)
from scheduler_core.errors.template_error import TemplateError
from scheduler_core.errors.worker_error import SessionFencedError, WorkerIdTakenError, WorkerNotFoundError

__all__ = [
    "AlreadyExistsError",
    "ComponentFailedError",
    "ComponentMissingError",
    "ConfigError",
    "ConflictError",
    "FlowNotFoundError",
    "FlowStateError",
    "GroupNotFoundError",
    "IllegalTransitionError",
    "InvalidInputError",
    "LimitInUseError",
    "LimitNameTakenError",
    "LimitNotFoundError",
    "MessageQueueError",
    "MessageQueueUnavailableError",
    "NotFoundError",
    "Problem",
    "QuarantineDecidedError",
    "RepositoryError",
    "SchedulerError",
    "SchemaVersionError",
    "SessionFencedError",
    "StoreUnavailableError",
    "TaskHasDependentsError",
    "TaskNameTakenError",
    "TaskNotFoundError",
    "TaskRunNotFoundError",
    "TaskRunStateError",
    "TemplateError",
    "UnknownConfigKeyError",
    "WorkerIdTakenError",
    "WorkerNotFoundError",
]
