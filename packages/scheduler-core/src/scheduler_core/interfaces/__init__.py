"""What others must be able to do: typing Protocols, each with the promise its callers rely on."""

from scheduler_core.interfaces.clock import Clock
from scheduler_core.interfaces.component import Component, ComponentContext
from scheduler_core.interfaces.dispatch_strategy import DependencyChecker, DispatchStrategy
from scheduler_core.interfaces.ledger_repository import LedgerRepository
from scheduler_core.interfaces.message_queue import Bell, MessageQueue
from scheduler_core.interfaces.repository import (
    ApiKeyRepository,
    IdempotencyRepository,
    RunLogRepository,
    ScheduleRepository,
    SystemRepository,
    TaskRepository,
    TaskRunRepository,
    WorkerSessionRepository,
)
from scheduler_core.interfaces.repository_answer import Settlement, StandingSchedule
from scheduler_core.interfaces.task_executor import RunContext, RunOutcome, RunOutput, TaskExecutor
from scheduler_core.interfaces.unit_of_work import Store, UnitOfWork

__all__ = [
    "ApiKeyRepository",
    "Bell",
    "Clock",
    "Component",
    "ComponentContext",
    "DependencyChecker",
    "DispatchStrategy",
    "IdempotencyRepository",
    "LedgerRepository",
    "MessageQueue",
    "RunContext",
    "RunLogRepository",
    "RunOutcome",
    "RunOutput",
    "ScheduleRepository",
    "Settlement",
    "StandingSchedule",
    "Store",
    "SystemRepository",
    "TaskExecutor",
    "TaskRepository",
    "TaskRunRepository",
    "UnitOfWork",
    "WorkerSessionRepository",
]
