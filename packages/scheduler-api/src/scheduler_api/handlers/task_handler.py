"""Operations on tasks."""

from litestar import Response

from scheduler_api.api_error import MethodNotAllowedError
from scheduler_api.dependencies import Reference, TaskLists, TaskRuns, Tasks
from scheduler_api.handlers.answers import encoded_answer, json_answer, page_answer, repeated_header
from scheduler_api.handlers.requests import ApiRequest, once_key, read_json
from scheduler_api.schemas.query_schema import read_query
from scheduler_api.schemas.task_run_schema import TaskStatistics
from scheduler_api.schemas.task_schema import task_view
from scheduler_core.models import RunStatistics, TaskRunStatus, TaskStatus


async def create_task(request: ApiRequest, tasks: Tasks) -> Response[bytes]:
    """Store a new task."""
    read_query(request)
    outcome = await tasks.create(await read_json(request), await once_key(request))
    task = outcome.result
    headers = {"Location": f"/api/v1/tasks/{task.id}", **repeated_header(outcome.repeated)}
    return json_answer(task_view(task), 201, headers)


async def list_tasks(request: ApiRequest, tasks: Tasks) -> Response[bytes]:
    """A page of tasks."""
    query = read_query(request)
    page = await tasks.page(
        query["namespace"],
        after_id=query["cursor"][0] if query["cursor"] else 0,
        limit=query["limit"] + 1,
        status=TaskStatus(query["status"]) if query["status"] else None,
        name=query["name"],
    )
    return page_answer([task_view(task) for task in page], query["limit"], "task", "id")


async def show_task(request: ApiRequest, reference: Reference, tasks: Tasks) -> Response[bytes]:
    """One task."""
    query = read_query(request)
    return json_answer(task_view(await tasks.get(reference, query["namespace"])))


async def replace_task(request: ApiRequest, reference: Reference, tasks: Tasks) -> Response[bytes]:
    """A whole new definition."""
    query = read_query(request)
    return json_answer(task_view(await tasks.replace(reference, query["namespace"], await read_json(request))))


async def change_task(request: ApiRequest, reference: Reference, tasks: Tasks) -> Response[bytes]:
    """Single fields."""
    query = read_query(request)
    return json_answer(task_view(await tasks.change(reference, query["namespace"], await read_json(request))))


async def delete_task(request: ApiRequest, reference: Reference, tasks: Tasks) -> Response[bytes]:
    """Make it INACTIVE."""
    query = read_query(request)
    return json_answer(task_view(await tasks.delete(reference, query["namespace"])))


async def pause_task(request: ApiRequest, reference: Reference, tasks: Tasks) -> Response[bytes]:
    """Hold it."""
    query = read_query(request)
    return json_answer(task_view(await tasks.pause(reference, query["namespace"])))


async def resume_task(request: ApiRequest, reference: Reference, tasks: Tasks) -> Response[bytes]:
    """Let it go on."""
    query = read_query(request)
    return json_answer(task_view(await tasks.resume(reference, query["namespace"])))


async def show_task_statistics(request: ApiRequest, reference: Reference, tasks: Tasks) -> Response[bytes]:
    """Its runs, counted."""
    query = read_query(request)
    task, statistics = await tasks.statistics(reference, query["namespace"], query["days"])
    counted = {name: getattr(statistics, name) for name in RunStatistics.__struct_fields__}
    return json_answer(TaskStatistics(task_id=task.id, task_name=task.name, **counted))


async def list_runs_of_task(request: ApiRequest, reference: Reference, task_runs: TaskRuns) -> Response[bytes]:
    """A page of its runs."""
    query = read_query(request)
    runs = await task_runs.page(
        namespace=query["namespace"],
        task=reference,
        flow_id=query["flow_id"],
        statuses=[TaskRunStatus(status) for status in query["status"]],
        before_id=query["cursor"][0] if query["cursor"] else None,
        limit=query["limit"] + 1,
    )
    return page_answer(runs, query["limit"], "run", "id")


async def trigger_task(request: ApiRequest, reference: Reference, task_runs: TaskRuns) -> Response[bytes]:
    """Run it now; with a count the answer is a list. A run that is there already is a 200."""
    query = read_query(request)
    document = await read_json(request, default={})
    outcome = await task_runs.trigger(reference, query["namespace"], document, await once_key(request))
    headers = repeated_header(outcome.repeated)
    status = 200 if outcome.result.existing else 201
    if document.get("count") is None:
        return json_answer(outcome.result.single(), status, headers)
    return encoded_answer(outcome.result.as_json(), status, headers)


async def apply_tasks(request: ApiRequest, reference: Reference, task_lists: TaskLists) -> Response[bytes]:
    """A list of tasks, all or nothing.

    Its address ends in /tasks/apply. The router has it as /tasks/{reference}: as a word of its own it would hide a
    task of that name.
    """
    if reference != "apply":
        raise MethodNotAllowedError("POST", request.url.path, ["GET", "PUT", "PATCH", "DELETE"])
    read_query(request)
    outcome = await task_lists.apply(await read_json(request), await once_key(request))
    return json_answer(outcome.result, 200, repeated_header(outcome.repeated))
