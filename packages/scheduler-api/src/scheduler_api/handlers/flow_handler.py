"""Operations on flows and groups."""

from litestar import Response

from scheduler_api.dependencies import FlowId, FlowReruns, Flows, RunId
from scheduler_api.flow_service import NODES_MAX
from scheduler_api.handlers.answers import json_answer, repeated_header
from scheduler_api.handlers.requests import ApiRequest, once_key, read_json
from scheduler_api.schemas.cursor import encode_cursor
from scheduler_api.schemas.flow_schema import FlowPage, GroupView
from scheduler_api.schemas.query_schema import read_query
from scheduler_core.models import TaskRunStatus
from scheduler_core.models.flow_view import MemberPlace


async def list_flows(request: ApiRequest, flows: Flows) -> Response[bytes]:
    """A page of flows."""
    query = read_query(request)
    page = await flows.page(
        namespace=query["namespace"],
        task=query["task"],
        statuses=frozenset(TaskRunStatus(status) for status in query["status"]),
        before_id=query["cursor"][0] if query["cursor"] else None,
        limit=query["limit"],
    )
    next_cursor = encode_cursor("flow", page.next_before) if page.next_before is not None else None
    return json_answer(FlowPage(items=page.items, next_cursor=next_cursor))


async def show_flow(request: ApiRequest, flow_id: FlowId, flows: Flows) -> Response[bytes]:
    """One flow with its runs."""
    query = read_query(request)
    return json_answer(await flows.get(flow_id, nodes_max=NODES_MAX if query["nodes"] else 0))


async def rerun_flow(request: ApiRequest, flow_id: FlowId, flow_reruns: FlowReruns) -> Response[bytes]:
    """Once more, as a new flow."""
    read_query(request)
    outcome = await flow_reruns.rerun(flow_id, await read_json(request), await once_key(request))
    return json_answer(outcome.result, 201, repeated_header(outcome.repeated))


async def cancel_flow(request: ApiRequest, flow_id: FlowId, flows: Flows) -> Response[bytes]:
    """Cancel all of it."""
    read_query(request)
    return json_answer(await flows.cancel(flow_id))


async def show_group(request: ApiRequest, run_id: RunId, flows: Flows) -> Response[bytes]:
    """What a run stands for."""
    query = read_query(request)
    after = MemberPlace(*query["cursor"]) if query["cursor"] else None
    group = await flows.group(run_id, after=after, limit=query["limit"])
    next_cursor = encode_cursor("member", *group.next_place) if group.next_place else None
    return json_answer(GroupView(head=group.head, group=group.summary, items=group.members, next_cursor=next_cursor))
