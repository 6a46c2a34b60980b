"""Operations on the ledger of slots."""

from datetime import datetime, timedelta
from typing import Any

from litestar import Response

from scheduler_api.api_error import InvalidQueryError
from scheduler_api.dependencies import Ledger, Reference
from scheduler_api.handlers.answers import json_answer
from scheduler_api.handlers.requests import ApiRequest
from scheduler_api.ledger_service import BEGINNING, Place
from scheduler_api.schemas.cursor import encode_cursor
from scheduler_api.schemas.ledger_schema import LedgerPage, VerificationPage
from scheduler_api.schemas.query_schema import read_query
from scheduler_core.errors import Problem

_TICK = timedelta(microseconds=1)


async def list_slots_of_task(request: ApiRequest, reference: Reference, ledger: Ledger) -> Response[bytes]:
    """A page of a task's ledger."""
    query = read_query(request)
    start, end = _range(query)
    limit = query["limit"]
    if query["newest"]:
        newest = await ledger.newest_entries(reference, query["namespace"], start=start, end=end, limit=limit)
        return json_answer(LedgerPage(items=newest, next_cursor=None))
    entries = await ledger.entries(
        reference,
        query["namespace"],
        start=start,
        end=end,
        after=Place.of((0, *query["cursor"])).start if query["cursor"] else None,
        limit=limit + 1,
    )
    next_cursor = None
    if len(entries) > limit:
        next_cursor = encode_cursor("slot", (entries[limit - 1].scheduled_at - BEGINNING) // _TICK)
    return json_answer(LedgerPage(items=entries[:limit], next_cursor=next_cursor))


async def verify_ledger(request: ApiRequest, ledger: Ledger) -> Response[bytes]:
    """A page of verified ledgers."""
    query = read_query(request)
    start, end = _range(query)
    place = Place.of(query["cursor"]) if query["cursor"] else Place(0, BEGINNING)
    done = await ledger.verify(namespace=query["namespace"], start=start, end=end, place=place, limit=query["limit"])
    return json_answer(
        VerificationPage(
            items=done.items,
            next_cursor=encode_cursor("ledger", *done.next_place.numbers()) if done.next_place else None,
            start=start,
            end=done.end,
            checked_at=done.checked_at,
        )
    )


def _range(query: dict[str, Any]) -> tuple[datetime | None, datetime | None]:
    start, end = query["from"], query["to"]
    if start is not None and end is not None and start >= end:
        told = "the same instant as" if start == end else "after"
        raise InvalidQueryError(
            [Problem("from", f"{start.isoformat()} is {told} to, {end.isoformat()}. Give a later to.")]
        )
    return start, end
