"""Operations on runs."""

from litestar import Response

from scheduler_api.dependencies import RunId, TaskRuns
from scheduler_api.handlers.answers import json_answer, page_answer, repeated_header
from scheduler_api.handlers.requests import ApiRequest, once_key
from scheduler_api.schemas.query_schema import read_query
from scheduler_api.schemas.task_run_schema import DependentRunItems
from scheduler_core.models import TaskRunStatus


async def list_task_runs(request: ApiRequest, task_runs: TaskRuns) -> Response[bytes]:
    """A page of runs."""
    query = read_query(request)
    runs = await task_runs.page(
        namespace=query["namespace"],
        task=query["task"],
        flow_id=query["flow_id"],
        group_id=query["group_id"],
        statuses=[TaskRunStatus(status) for status in query["status"]],
        stale=query["stale"],
        before_id=query["cursor"][0] if query["cursor"] else None,
        limit=query["limit"] + 1,
    )
    return page_answer(runs, query["limit"], "run", "id")


async def show_task_run(request: ApiRequest, run_id: RunId, task_runs: TaskRuns) -> Response[bytes]:
    """One run."""
    read_query(request)
    return json_answer(await task_runs.get(run_id))


async def list_dependents(request: ApiRequest, run_id: RunId, task_runs: TaskRuns) -> Response[bytes]:
    """The runs that are made of what it has done."""
    read_query(request)
    return json_answer(DependentRunItems(items=await task_runs.dependents(run_id)))


async def cancel_task_run(request: ApiRequest, run_id: RunId, task_runs: TaskRuns) -> Response[bytes]:
    """Cancel it."""
    read_query(request)
    return json_answer(await task_runs.cancel(run_id))


async def pause_task_run(request: ApiRequest, run_id: RunId, task_runs: TaskRuns) -> Response[bytes]:
    """Let it stand still."""
    read_query(request)
    return json_answer(await task_runs.pause(run_id, pause=True))


async def resume_task_run(request: ApiRequest, run_id: RunId, task_runs: TaskRuns) -> Response[bytes]:
    """Let it go on."""
    read_query(request)
    return json_answer(await task_runs.pause(run_id, pause=False))


async def retry_task_run(request: ApiRequest, run_id: RunId, task_runs: TaskRuns) -> Response[bytes]:
    """Once more, as a new run."""
    read_query(request)
    outcome = await task_runs.retry(run_id, await once_key(request))
    return json_answer(outcome.result, 201, repeated_header(outcome.repeated))
