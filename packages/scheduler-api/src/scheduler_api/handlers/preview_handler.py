"""What schedules mean."""

from litestar import Response

from scheduler_api.dependencies import Previews, Reference
from scheduler_api.handlers.answers import json_answer
from scheduler_api.handlers.requests import ApiRequest, read_json
from scheduler_api.schemas.query_schema import read_query


async def preview_task(request: ApiRequest, reference: Reference, previews: Previews) -> Response[bytes]:
    """A task's next slots."""
    query = read_query(request)
    preview = await previews.of_task(
        reference, query["namespace"], count=query["count"], viewer_timezone=query["timezone"]
    )
    return json_answer(preview)


async def preview_schedule(request: ApiRequest, previews: Previews) -> Response[bytes]:
    """The slots of a schedule that is not saved."""
    read_query(request)
    return json_answer(await previews.of_body(await read_json(request)))
