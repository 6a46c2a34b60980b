"""What others must be able to do: typing Protocols, each with the promise its callers rely on."""

from scheduler_core.interfaces.clock import Clock
from scheduler_core.interfaces.component import Component, ComponentContext, ReloadableComponent, WatchedComponent
from scheduler_core.interfaces.dispatch_repository import DispatchRepository
from scheduler_core.interfaces.dispatch_strategy import DispatchStrategy
from scheduler_core.interfaces.dispatcher_repository import DispatcherRepository
from scheduler_core.interfaces.explanation_repository import ExplanationRepository
from scheduler_core.interfaces.flow_repository import FlowRepository
from scheduler_core.interfaces.flow_view_repository import FlowViewRepository
from scheduler_core.interfaces.interval_repository import IntervalRepository
from scheduler_core.interfaces.ledger_repository import LedgerRepository
from scheduler_core.interfaces.limit_repository import LimitRepository
from scheduler_core.interfaces.message_queue import Bell, MessageQueue
from scheduler_core.interfaces.quarantine_repository import QuarantineRepository
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
from scheduler_core.interfaces.repository_answer import FoundLines, Settlement, StandingSchedule
from scheduler_core.interfaces.retention_repository import RetentionRepository
from scheduler_core.interfaces.task_executor import RunContext, RunNotice, RunOutcome, RunOutput, TaskExecutor
from scheduler_core.interfaces.unique_run_repository import UniqueRunRepository
from scheduler_core.interfaces.unit_of_work import Store, UnitOfWork

__all__ = [
    "ApiKeyRepository",
    "Bell",
    "Clock",
    "Component",
    "ComponentContext",
    "DispatchRepository",
    "DispatchStrategy",
    "DispatcherRepository",
    "ExplanationRepository",
    "FlowRepository",
    "FlowViewRepository",
    "FoundLines",
    "IdempotencyRepository",
    "IntervalRepository",
    "LedgerRepository",
    "LimitRepository",
    "MessageQueue",
    "QuarantineRepository",
    "ReloadableComponent",
    "RetentionRepository",
    "RunContext",
    "RunLogRepository",
    "RunNotice",
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
    "UniqueRunRepository",
    "UnitOfWork",
    "WatchedComponent",
    "WorkerSessionRepository",
]
