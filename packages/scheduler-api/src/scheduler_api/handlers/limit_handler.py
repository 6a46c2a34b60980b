"""Operations on limits."""

from litestar import Response

from scheduler_api.dependencies import LimitName, Limits
from scheduler_api.handlers.answers import json_answer, page_answer, repeated_header
from scheduler_api.handlers.requests import ApiRequest, once_key, read_json
from scheduler_api.schemas.limit_schema import LimitKeyItems, limit_view
from scheduler_api.schemas.query_schema import read_query


async def create_limit(request: ApiRequest, limits: Limits) -> Response[bytes]:
    """Store a new limit."""
    read_query(request)
    outcome = await limits.create(await read_json(request), await once_key(request))
    limit = outcome.result
    headers = {"Location": f"/api/v1/limits/{limit.id}", **repeated_header(outcome.repeated)}
    return json_answer(limit_view(limit), 201, headers)


async def list_limits(request: ApiRequest, limits: Limits) -> Response[bytes]:
    """A page of limits."""
    query = read_query(request)
    page = await limits.page(
        query["namespace"], after_id=query["cursor"][0] if query["cursor"] else 0, limit=query["limit"] + 1
    )
    return page_answer([limit_view(limit) for limit in page], query["limit"], "limit", "id")


async def show_limit(request: ApiRequest, name: LimitName, limits: Limits) -> Response[bytes]:
    """One limit."""
    query = read_query(request)
    return json_answer(limit_view(await limits.get(name, query["namespace"])))


async def list_limit_keys(request: ApiRequest, name: LimitName, limits: Limits) -> Response[bytes]:
    """How its keys stand."""
    query = read_query(request)
    return json_answer(LimitKeyItems(items=await limits.uses(name, query["namespace"], query["limit"])))


async def replace_limit(request: ApiRequest, name: LimitName, limits: Limits) -> Response[bytes]:
    """A whole new definition."""
    query = read_query(request)
    return json_answer(limit_view(await limits.replace(name, query["namespace"], await read_json(request))))


async def change_limit(request: ApiRequest, name: LimitName, limits: Limits) -> Response[bytes]:
    """Single fields."""
    query = read_query(request)
    return json_answer(limit_view(await limits.change(name, query["namespace"], await read_json(request))))


async def delete_limit(request: ApiRequest, name: LimitName, limits: Limits) -> Response[bytes]:
    """Remove it."""
    query = read_query(request)
    return json_answer(limit_view(await limits.delete(name, query["namespace"])))
