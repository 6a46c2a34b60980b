"""The whole API on one page: each operation, who answers it, and all that its description says."""

from collections.abc import Callable
from typing import Any, NamedTuple

from scheduler_api.handlers import (
    explain_handler,
    flow_handler,
    health_handler,
    ledger_handler,
    preview_handler,
    system_handler,
    task_handler,
    task_run_handler,
    worker_handler,
)
from scheduler_api.schemas import query_schema as query
from scheduler_api.schemas.flow_schema import CancelledFlow, FlowPage, FlowView, GroupView, RerunBody, RerunFlow
from scheduler_api.schemas.health_schema import Readiness
from scheduler_api.schemas.ledger_schema import LedgerPage, VerificationPage
from scheduler_api.schemas.preview_schema import PreviewBody, SchedulePreview
from scheduler_api.schemas.query_schema import QueryParameter, cursor_of
from scheduler_api.schemas.task_run_schema import (
    DependentRunItems,
    RunLogPage,
    SystemView,
    TaskRunItems,
    TaskRunPage,
    TaskStatistics,
    TriggerBody,
    WorkerPage,
)
from scheduler_api.schemas.task_schema import AppliedTasks, TaskBody, TaskListBody, TaskPage, TaskView
from scheduler_core.models import TaskRun
from scheduler_core.models.explanation import Explanation

API = "/api/v1"


class Operation(NamedTuple):
    """One operation. `problems` are the statuses of errors beside those that every operation can have.

    `answers` and `body` are a struct, several of them in a tuple (one of which it is), or a ready JSON schema.
    """

    method: str
    path: str
    handler: Callable[..., Any]
    summary: str
    answers: Any = None
    body: Any = None
    status: int = 200
    query: tuple[QueryParameter, ...] = ()
    problems: tuple[int, ...] = ()
    body_required: bool = True
    takes_idempotency_key: bool = False
    documented_as: str = ""
    media_type: str = "application/json"
    tag: str = ""


_TASK = f"{API}/tasks/{{reference:str}}"
_RUN = f"{API}/task-runs/{{run_id:str}}"
_FLOW = f"{API}/flows/{{flow_id:str}}"
_NAMESPACE = (query.NAMESPACE,)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        f"{API}/tasks",
        task_handler.create_task,
        "Create a task",
        answers=TaskView,
        body=TaskBody,
        status=201,
        problems=(409, 422),
        takes_idempotency_key=True,
        tag="tasks",
    ),
    Operation(
        "GET",
        f"{API}/tasks",
        task_handler.list_tasks,
        "List tasks, oldest first",
        answers=TaskPage,
        query=(query.LIMIT, cursor_of("task"), query.IN_NAMESPACE, query.TASK_STATUS, query.NAME_CONTAINS),
        problems=(422,),
        tag="tasks",
    ),
    Operation(
        "POST",
        _TASK,
        task_handler.apply_tasks,
        "Create or update many tasks, all of them or none",
        answers=AppliedTasks,
        body=TaskListBody,
        problems=(409, 422),
        takes_idempotency_key=True,
        documented_as=f"{API}/tasks/apply",
        tag="tasks",
    ),
    Operation(
        "GET",
        _TASK,
        task_handler.show_task,
        "Show a task",
        answers=TaskView,
        query=_NAMESPACE,
        problems=(404, 422),
        tag="tasks",
    ),
    Operation(
        "PUT",
        _TASK,
        task_handler.replace_task,
        "Replace a task's definition",
        answers=TaskView,
        body=TaskBody,
        query=_NAMESPACE,
        problems=(404, 409, 422),
        tag="tasks",
    ),
    Operation(
        "PATCH",
        _TASK,
        task_handler.change_task,
        "Change single fields of a task",
        answers=TaskView,
        body={"$ref": "#/components/schemas/TaskChanges"},
        query=_NAMESPACE,
        problems=(404, 409, 422),
        tag="tasks",
    ),
    Operation(
        "DELETE",
        _TASK,
        task_handler.delete_task,
        "Delete a task: it becomes INACTIVE, its history stays",
        answers=TaskView,
        query=_NAMESPACE,
        problems=(404, 409, 422),
        tag="tasks",
    ),
    Operation(
        "POST",
        f"{_TASK}/trigger",
        task_handler.trigger_task,
        "Run a task now, with its downstream; with `count` the answer has items",
        answers=(TaskRun, TaskRunItems),
        body=TriggerBody,
        status=201,
        query=_NAMESPACE,
        problems=(404, 422),
        body_required=False,
        takes_idempotency_key=True,
        tag="tasks",
    ),
    Operation(
        "POST",
        f"{_TASK}/pause",
        task_handler.pause_task,
        "Hold a task",
        answers=TaskView,
        query=_NAMESPACE,
        problems=(404, 422),
        tag="tasks",
    ),
    Operation(
        "POST",
        f"{_TASK}/resume",
        task_handler.resume_task,
        "Let a paused task go on",
        answers=TaskView,
        query=_NAMESPACE,
        problems=(404, 422),
        tag="tasks",
    ),
    Operation(
        "GET",
        f"{_TASK}/preview",
        preview_handler.preview_task,
        "Show what a task's schedule means: its words and its next slots",
        answers=SchedulePreview,
        query=(query.NAMESPACE, query.SLOT_COUNT, query.VIEWER_TIMEZONE),
        problems=(404, 422),
        tag="schedules",
    ),
    Operation(
        "POST",
        f"{API}/schedules/preview",
        preview_handler.preview_schedule,
        "Show what a schedule would mean; nothing is stored",
        answers=SchedulePreview,
        body=PreviewBody,
        problems=(422,),
        tag="schedules",
    ),
    Operation(
        "GET",
        f"{_TASK}/explain",
        explain_handler.explain_task,
        "Tell why a task makes no run now and why its runs wait, or, with `slot`, what became of that slot",
        answers=Explanation,
        query=(query.NAMESPACE, query.SLOT),
        problems=(404, 422),
        tag="tasks",
    ),
    Operation(
        "GET",
        f"{_TASK}/stats",
        task_handler.show_task_statistics,
        "Count a task's runs: by status, success rate, durations in seconds",
        answers=TaskStatistics,
        query=(query.NAMESPACE, query.DAYS),
        problems=(404, 422),
        tag="tasks",
    ),
    Operation(
        "GET",
        f"{_TASK}/runs",
        task_handler.list_runs_of_task,
        "List a task's runs, newest first",
        answers=TaskRunPage,
        query=(query.LIMIT, cursor_of("run"), query.NAMESPACE, query.RUN_STATUS, query.FLOW_ID),
        problems=(404, 422),
        tag="tasks",
    ),
    Operation(
        "GET",
        f"{_TASK}/slots",
        ledger_handler.list_slots_of_task,
        "List a task's entries of the ledger, oldest first",
        answers=LedgerPage,
        query=(query.LIMIT, cursor_of("slot"), query.NAMESPACE, query.FROM, query.TO, query.NEWEST),
        problems=(404, 422),
        tag="ledger",
    ),
    Operation(
        "GET",
        f"{API}/ledger/verification",
        ledger_handler.verify_ledger,
        "Verify the ledgers of tasks, deleted ones too: whether every slot is recorded once",
        answers=VerificationPage,
        query=(query.LIMIT, cursor_of("ledger", length=2), query.IN_NAMESPACE, query.FROM, query.TO),
        problems=(422,),
        tag="ledger",
    ),
    Operation(
        "GET",
        f"{API}/task-runs",
        task_run_handler.list_task_runs,
        "List runs, newest first",
        answers=TaskRunPage,
        query=(
            query.LIMIT,
            cursor_of("run"),
            query.IN_NAMESPACE,
            query.TASK,
            query.RUN_STATUS,
            query.FLOW_ID,
            query.GROUP_ID,
            query.STALE,
        ),
        problems=(404, 422),
        tag="runs",
    ),
    Operation(
        "GET",
        _RUN,
        task_run_handler.show_task_run,
        "Show a run",
        answers=TaskRun,
        problems=(404, 422),
        tag="runs",
    ),
    Operation(
        "GET",
        f"{_RUN}/dependents",
        task_run_handler.list_dependents,
        "List the ended runs that had waited for the slot of a run: they are stale once it has been run again",
        answers=DependentRunItems,
        problems=(404, 422),
        tag="runs",
    ),
    Operation(
        "GET",
        f"{_RUN}/explain",
        explain_handler.explain_task_run,
        "Tell why a run does not run, all blockers at once, or why it ran then and there",
        answers=Explanation,
        problems=(404, 422),
        tag="runs",
    ),
    Operation(
        "POST",
        f"{_RUN}/cancel",
        task_run_handler.cancel_task_run,
        "Cancel a run; a running one ends as soon as its worker has stopped it",
        answers=TaskRun,
        problems=(404, 409, 422),
        tag="runs",
    ),
    Operation(
        "POST",
        f"{_RUN}/retry",
        task_run_handler.retry_task_run,
        "Run a final run again, as a new run with retry_of",
        answers=TaskRun,
        status=201,
        problems=(404, 409, 422),
        takes_idempotency_key=True,
        tag="runs",
    ),
    Operation(
        "GET",
        f"{_RUN}/logs",
        task_run_handler.show_task_run_logs,
        "Read a run's output; with Accept: text/plain all of it as text",
        answers=RunLogPage,
        query=(
            query.LOG_LIMIT,
            cursor_of("log", "after", 2),
            cursor_of("log", "cursor", 2),
        ),
        problems=(404, 422),
        tag="runs",
    ),
    Operation(
        "GET",
        f"{_RUN}/group",
        flow_handler.show_group,
        "Show the group that a run stands for, with its runs in the order of their index",
        answers=GroupView,
        query=(query.LIMIT, cursor_of("member", length=2)),
        problems=(404, 422),
        tag="flows",
    ),
    Operation(
        "GET",
        f"{API}/flows",
        flow_handler.list_flows,
        "List flows of more than one run, newest first",
        answers=FlowPage,
        query=(query.LIMIT, cursor_of("flow"), query.IN_NAMESPACE, query.ROOT_TASK, query.FLOW_STATUS),
        problems=(404, 422),
        tag="flows",
    ),
    Operation(
        "GET",
        _FLOW,
        flow_handler.show_flow,
        "Show a flow: its runs, and who waits for whom",
        answers=FlowView,
        query=(query.NODES,),
        problems=(404, 422),
        tag="flows",
    ),
    Operation(
        "POST",
        f"{_FLOW}/rerun",
        flow_handler.rerun_flow,
        "Run a flow again, wholly or in part, as a new flow",
        answers=RerunFlow,
        body=RerunBody,
        status=201,
        problems=(404, 409, 422),
        takes_idempotency_key=True,
        tag="flows",
    ),
    Operation(
        "POST",
        f"{_FLOW}/cancel",
        flow_handler.cancel_flow,
        "Cancel all runs of a flow; running ones end as soon as their workers have stopped them",
        answers=CancelledFlow,
        problems=(404, 409, 422),
        tag="flows",
    ),
    Operation(
        "GET",
        f"{API}/workers",
        worker_handler.list_workers,
        "List worker sessions, newest first",
        answers=WorkerPage,
        query=(query.LIMIT, cursor_of("worker"), query.ALIVE),
        problems=(422,),
        tag="system",
    ),
    Operation(
        "GET",
        f"{API}/system/stats",
        system_handler.show_system_statistics,
        "Count tasks, runs and workers",
        answers=SystemView,
        problems=(422,),
        tag="system",
    ),
    Operation(
        "GET",
        "/health/live",
        health_handler.show_liveness,
        "Whether this process answers",
        answers={"type": "object", "properties": {"status": {"const": "ok"}}, "required": ["status"]},
        tag="health",
    ),
    Operation(
        "GET",
        "/health/ready",
        health_handler.show_readiness,
        "Whether requests can be served; 503, with the same document, when not",
        answers=Readiness,
        tag="health",
    ),
    Operation(
        "GET",
        "/metrics",
        system_handler.show_metrics,
        "Metrics in Prometheus' text format",
        answers={"type": "string"},
        media_type="text/plain",
        tag="health",
    ),
    Operation(
        "GET",
        "/api/openapi.json",
        system_handler.show_openapi_document,
        "This description",
        answers={"type": "object"},
        tag="docs",
    ),
    Operation(
        "GET",
        "/docs",
        system_handler.show_docs,
        "This description as a page",
        answers={"type": "string"},
        media_type="text/html",
        tag="docs",
    ),
    Operation("GET", "/docs/docs.js", system_handler.show_docs_script, "The script of that page", documented_as="-"),
    Operation("GET", "/", system_handler.go_to_docs, "The way to the docs", documented_as="-"),
)
