"""Operations on workers."""

from litestar import Response

from scheduler_api.dependencies import WorkerId, Workers
from scheduler_api.handlers.answers import json_answer, page_answer
from scheduler_api.handlers.requests import ApiRequest
from scheduler_api.schemas.query_schema import read_query


async def list_workers(request: ApiRequest, workers: Workers) -> Response[bytes]:
    """A page of worker sessions."""
    query = read_query(request)
    sessions = await workers.page(
        alive_only=query["alive"],
        before_id=query["cursor"][0] if query["cursor"] else None,
        limit=query["limit"] + 1,
    )
    return page_answer(sessions, query["limit"], "worker", "id")


async def show_worker(request: ApiRequest, worker_id: WorkerId, workers: Workers) -> Response[bytes]:
    """One worker and what it runs."""
    read_query(request)
    return json_answer(await workers.get(worker_id))


async def drain_worker(request: ApiRequest, worker_id: WorkerId, workers: Workers) -> Response[bytes]:
    """Nothing new for it."""
    read_query(request)
    return json_answer(await workers.drain(worker_id))


async def resume_worker(request: ApiRequest, worker_id: WorkerId, workers: Workers) -> Response[bytes]:
    """Runs for it again."""
    read_query(request)
    return json_answer(await workers.resume(worker_id))
