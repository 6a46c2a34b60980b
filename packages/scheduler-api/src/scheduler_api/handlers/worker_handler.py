"""Operations on workers."""

from litestar import Response

from scheduler_api.dependencies import Workers
from scheduler_api.handlers.answers import page_answer
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
