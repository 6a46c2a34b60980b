"""Operations on quarantined runs."""

from litestar import Response

from scheduler_api.dependencies import Quarantine, RunId
from scheduler_api.handlers.answers import json_answer, page_answer, repeated_header
from scheduler_api.handlers.requests import ApiRequest, once_key
from scheduler_api.schemas.query_schema import read_query


async def list_quarantine(request: ApiRequest, quarantine: Quarantine) -> Response[bytes]:
    """A page of them."""
    query = read_query(request)
    runs = await quarantine.page(
        namespace=query["namespace"],
        decided=query["decided"],
        before_id=query["cursor"][0] if query["cursor"] else None,
        limit=query["limit"] + 1,
    )
    return page_answer(runs, query["limit"], "quarantine", "run_id")


async def show_quarantined_run(request: ApiRequest, run_id: RunId, quarantine: Quarantine) -> Response[bytes]:
    """One, with the evidence."""
    read_query(request)
    return json_answer(await quarantine.get(run_id))


async def release_quarantined_run(request: ApiRequest, run_id: RunId, quarantine: Quarantine) -> Response[bytes]:
    """Once more, as a new run."""
    read_query(request)
    outcome = await quarantine.release(run_id, await once_key(request))
    return json_answer(outcome.result, 201, repeated_header(outcome.repeated))


async def discard_quarantined_run(request: ApiRequest, run_id: RunId, quarantine: Quarantine) -> Response[bytes]:
    """Leave it as it is."""
    read_query(request)
    return json_answer(await quarantine.discard(run_id))
