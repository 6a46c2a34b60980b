"""What handlers may ask for: the type says what, the name of the argument which. All of it lives as long as the app."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from scheduler_api.explain_service import ExplainService
from scheduler_api.flow_rerun_service import FlowRerunService
from scheduler_api.flow_service import FlowService
from scheduler_api.known_task_types import KnownTaskTypes
from scheduler_api.ledger_service import LedgerService
from scheduler_api.limit_service import LimitService
from scheduler_api.quarantine_service import QuarantineService
from scheduler_api.run_log_service import RunLogService
from scheduler_api.schedule_preview_service import SchedulePreviewService
from scheduler_api.system_observer import SystemObserver
from scheduler_api.task_apply_service import TaskApplyService
from scheduler_api.task_run_service import TaskRunService
from scheduler_api.task_service import TaskService
from scheduler_api.work_ringer import WorkRinger
from scheduler_api.worker_service import WorkerService
from scheduler_core.interfaces import Clock, MessageQueue, Store

Tasks = NamedDependency[TaskService]
TaskLists = NamedDependency[TaskApplyService]
TaskRuns = NamedDependency[TaskRunService]
RunLogs = NamedDependency[RunLogService]
Flows = NamedDependency[FlowService]
FlowReruns = NamedDependency[FlowRerunService]
Quarantine = NamedDependency[QuarantineService]
Previews = NamedDependency[SchedulePreviewService]
Limits = NamedDependency[LimitService]
Ledger = NamedDependency[LedgerService]
Explanations = NamedDependency[ExplainService]
Workers = NamedDependency[WorkerService]
Observer = NamedDependency[SystemObserver]
OpenApiDocument = NamedDependency[bytes]
Reference = FromPath[str]
LimitName = FromPath[str]
RunId = FromPath[str]
FlowId = FromPath[str]
WorkerId = FromPath[str]


class Dependencies(NamedTuple):
    """Each field is the name by which a handler's argument asks for it."""

    tasks: TaskService
    task_lists: TaskApplyService
    task_runs: TaskRunService
    run_logs: RunLogService
    flows: FlowService
    flow_reruns: FlowRerunService
    quarantine: QuarantineService
    previews: SchedulePreviewService
    limits: LimitService
    ledger: LedgerService
    explanations: ExplainService
    workers: WorkerService
    observer: SystemObserver
    openapi_document: bytes

    def providers(self) -> dict[str, Provide]:
        """For Litestar."""
        return {name: Provide(_giving(value), sync_to_thread=False) for name, value in self._asdict().items()}


def make_dependencies(
    store: Store,
    queue: MessageQueue,
    clock: Clock,
    *,
    component_metrics: Callable[[], str],
    openapi_document: bytes,
    version: str,
    stopping: asyncio.Event | None = None,
) -> Dependencies:
    """Wire the services."""
    ringer = WorkRinger(store, queue)
    task_types = KnownTaskTypes(store)
    tasks = TaskService(store, clock, ringer, task_types)
    return Dependencies(
        tasks=tasks,
        task_lists=TaskApplyService(store, clock, ringer, task_types),
        task_runs=TaskRunService(store, clock, ringer),
        run_logs=RunLogService(store, clock, stopping),
        flows=FlowService(store, clock, ringer),
        flow_reruns=FlowRerunService(store, clock, ringer),
        quarantine=QuarantineService(store, clock, ringer),
        previews=SchedulePreviewService(tasks, clock),
        limits=LimitService(store, clock, ringer),
        ledger=LedgerService(store, clock),
        explanations=ExplainService(store, queue),
        workers=WorkerService(store, clock, ringer),
        observer=SystemObserver(store, queue, clock, component_metrics, version),
        openapi_document=openapi_document,
    )


def _giving(value: Any) -> Callable[[], Any]:
    def give() -> Any:
        return value

    return give
