"""Many runs in one answer."""

import json
from datetime import UTC, datetime

import msgspec

from scheduler_api.schemas.task_run_schema import TriggeredRuns
from scheduler_core.models import RunTrigger, TaskRun, TaskRunStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)

RUN = TaskRun(
    id=7,
    task_id=1,
    task_name='a "b" %d \\',
    namespace="default",
    task_version=1,
    flow_id=7,
    status=TaskRunStatus.DISPATCHED,
    trigger=RunTrigger.MANUAL,
    task_type="shell",
    queue="default",
    priority=5,
    scheduled_at=NOW,
    interval_from=None,
    interval_to=None,
    not_before=NOW,
    created_at=NOW,
    started_at=None,
    completed_at=None,
    attempt=0,
    failures=0,
    losses=0,
    max_retries=0,
    worker_id=None,
    cancel_requested=False,
    waiting_on=0,
    parameters={"p": "100 %s"},
    result=None,
    error=None,
    retry_of=None,
)


def test_as_json_says_the_same_as_each_run_by_itself() -> None:
    """The answer that shares its encoding equals the runs encoded one by one."""
    runs = [msgspec.structs.replace(RUN, id=run_id, flow_id=run_id) for run_id in (7, 8, 9)]
    answer = TriggeredRuns(first=RUN, run_ids=[7, 8, 9]).as_json()
    assert json.loads(answer) == {"items": json.loads(msgspec.json.encode(runs))}
