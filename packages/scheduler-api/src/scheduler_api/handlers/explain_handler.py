"""Operations that answer "why"."""

from litestar import Response

from scheduler_api.dependencies import Explanations, Reference, RunId
from scheduler_api.handlers.answers import json_answer
from scheduler_api.handlers.requests import ApiRequest
from scheduler_api.schemas.query_schema import read_query


async def explain_task_run(request: ApiRequest, run_id: RunId, explanations: Explanations) -> Response[bytes]:
    """Why a run does not run, or did."""
    read_query(request)
    return json_answer(await explanations.run(run_id))


async def explain_task(request: ApiRequest, reference: Reference, explanations: Explanations) -> Response[bytes]:
    """Why a task makes no run, or what became of one of its slots."""
    query = read_query(request)
    if query["slot"] is not None:
        return json_answer(await explanations.slot(reference, query["namespace"], query["slot"]))
    return json_answer(await explanations.task(reference, query["namespace"]))
