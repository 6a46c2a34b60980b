"""The border of a change."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from scheduler_core.interfaces.dispatch_repository import DispatchRepository
from scheduler_core.interfaces.dispatcher_repository import DispatcherRepository
from scheduler_core.interfaces.explanation_repository import ExplanationRepository
from scheduler_core.interfaces.flow_repository import FlowRepository
from scheduler_core.interfaces.flow_view_repository import FlowViewRepository
from scheduler_core.interfaces.interval_repository import IntervalRepository
from scheduler_core.interfaces.ledger_repository import LedgerRepository
from scheduler_core.interfaces.limit_repository import LimitRepository
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
from scheduler_core.interfaces.retention_repository import RetentionRepository
from scheduler_core.interfaces.unique_run_repository import UniqueRunRepository


class UnitOfWork(Protocol):
    """All repositories, speaking over one connection."""

    @property
    def tasks(self) -> TaskRepository:
        """Definitions."""

    @property
    def schedules(self) -> ScheduleRepository:
        """Due instants and slots."""

    @property
    def ledger(self) -> LedgerRepository:
        """The ledger as it is looked at."""

    @property
    def task_runs(self) -> TaskRunRepository:
        """Runs."""

    @property
    def flows(self) -> FlowRepository:
        """Runs as parts of their flows."""

    @property
    def flow_views(self) -> FlowViewRepository:
        """Flows as they are looked at."""

    @property
    def intervals(self) -> IntervalRepository:
        """Dependencies on intervals."""

    @property
    def explanations(self) -> ExplanationRepository:
        """The facts that decisions follow from."""

    @property
    def dispatchers(self) -> DispatcherRepository:
        """Dispatchers."""

    @property
    def dispatch(self) -> DispatchRepository:
        """Gated runs."""

    @property
    def limits(self) -> LimitRepository:
        """Limits."""

    @property
    def quarantine(self) -> QuarantineRepository:
        """Quarantined runs."""

    @property
    def retention(self) -> RetentionRepository:
        """Old runs."""

    @property
    def unique_runs(self) -> UniqueRunRepository:
        """Runs by their unique keys."""

    @property
    def run_logs(self) -> RunLogRepository:
        """Output of runs."""

    @property
    def worker_sessions(self) -> WorkerSessionRepository:
        """Workers."""

    @property
    def api_keys(self) -> ApiKeyRepository:
        """Keys."""

    @property
    def idempotency(self) -> IdempotencyRepository:
        """Answers given."""

    @property
    def system(self) -> SystemRepository:
        """The whole."""


class Store(Protocol):
    """Opens units of work. Leaving a `transaction` normally commits it, with an exception rolls it back."""

    def transaction(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """All statements together or none. Serialization failures and deadlocks surface as ConflictError."""

    def autocommit(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Each method's statement is its own transaction: one round trip for the hot paths."""

    async def close(self) -> None:
        """Give back all connections."""
