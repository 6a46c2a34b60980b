"""Reading what runs print."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Response
from litestar.response import Stream

from scheduler_api.api_error import InvalidQueryError
from scheduler_api.dependencies import RunId, RunLogs
from scheduler_api.handlers.answers import json_answer
from scheduler_api.handlers.requests import ApiRequest
from scheduler_api.run_log_service import LogPage, Place, RunLogService, text_of
from scheduler_api.schemas.cursor import decode_cursor, encode_cursor
from scheduler_api.schemas.query_schema import read_query
from scheduler_core.errors import Problem
from scheduler_core.models import LogFilter, RunLogEntry, RunNews

_EVENT_STREAM = "text/event-stream"
_LINES = 1000
_SILENCE_ROUNDS = 15
"""After how many looks without news a comment is sent, so that what is between keeps the connection open."""
_ENDED = "end"
_WAYS = ("tail", "from_line", "search", "pattern")


async def show_task_run_logs(request: ApiRequest, run_id: RunId, run_logs: RunLogs) -> Response[bytes] | Stream:
    """What it printed: a page of entries, as text with ``Accept: text/plain``, as it comes with text/event-stream."""
    query = _checked(read_query(request))
    only = LogFilter(attempt=query["attempt"], stream=query["stream"], since=query["since"])
    after = query["after"] or query["cursor"] or (0, 0)
    accepted = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    if _EVENT_STREAM in accepted:
        return await _followed(request, run_id, run_logs, query, only, after)
    # A browser's */* gets JSON.
    wants_text = "text/plain" in accepted and "application/json" not in accepted
    if wants_text and not _is_part(query):
        await run_logs.page(run_id, only, after=after, limit=1)
        return _text_stream(run_logs.text(run_id, only, after=after))
    page = await _page(run_logs, run_id, query, only, after)
    if wants_text:
        return Response(text_of(page.entries), media_type="text/plain; charset=utf-8", status_code=200)
    cursor = None if page.next_place is None else encode_cursor("log", *page.next_place)
    return json_answer({"items": page.entries, "next_cursor": cursor})


def _checked(query: dict[str, Any]) -> dict[str, Any]:
    ways = [name for name in _WAYS if query[name] is not None]
    problems = []
    if len(ways) > 1:
        problems.append(Problem(ways[1], f"{ways[1]} cannot be asked for together with {ways[0]}. Leave one out."))
    if query["lines"] is not None and query["from_line"] is None:
        problems.append(Problem("lines", "lines says how many lines from from_line on are meant. Give from_line, too."))
    if problems:
        raise InvalidQueryError(problems)
    return query


def _is_part(query: dict[str, Any]) -> bool:
    return any(query[name] is not None for name in _WAYS)


async def _page(run_logs: RunLogService, run_id: str, query: dict[str, Any], only: LogFilter, after: Place) -> LogPage:
    if query["tail"] is not None:
        return await run_logs.tail(run_id, only, query["tail"])
    if query["from_line"] is not None:
        return await run_logs.range(run_id, only, query["from_line"], query["lines"] or _LINES)
    limit = query["limit"]
    if query["search"] is not None or query["pattern"] is not None:
        text, pattern = query["search"], query["pattern"]
        return await run_logs.search(run_id, only, text=text, pattern=pattern, after=after, limit=limit)
    return await run_logs.page(run_id, only, after=after, limit=limit)


async def _followed(
    request: ApiRequest, run_id: str, run_logs: RunLogService, query: dict[str, Any], only: LogFilter, after: Place
) -> Response[bytes] | Stream:
    unfit = [name for name in ("from_line", "search", "pattern") if query[name] is not None]
    if unfit:
        raise InvalidQueryError([Problem(unfit[0], f"{unfit[0]} is for what was printed, not for what comes.")])
    last = request.headers.get("last-event-id")
    if last == _ENDED:
        # What tells a browser not to come again.
        return Response(b"", status_code=204)
    first: list[RunLogEntry] = []
    if last:
        try:
            attempt, sequence = decode_cursor("log", last, 2)
        except ValueError:
            raise InvalidQueryError(
                [Problem("Last-Event-ID", f"'{last[:50]}' is no id of an event of this run. Leave it out.")]
            ) from None
        after = (attempt, sequence)
        await run_logs.page(run_id, only, after=after, limit=1)
    elif query["tail"] is not None:
        first = (await run_logs.tail(run_id, only, query["tail"])).entries
    else:
        await run_logs.page(run_id, only, after=after, limit=1)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    events = _events(run_logs.follow(run_id, only, after=after, first=first))
    return Stream(events, media_type=f"{_EVENT_STREAM}; charset=utf-8", status_code=200, headers=headers)


async def _events(news: AsyncIterator[RunLogEntry | RunNews | None]) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    silent = 0
    async for new in news:
        silent = silent + 1 if new is None else 0
        if isinstance(new, RunLogEntry):
            yield _event("log", new, encode_cursor("log", new.attempt, new.sequence))
        elif isinstance(new, RunNews):
            if new.progress is not None:
                yield _event("progress", new.progress)
            yield _event("end" if new.status.is_final else "status", {"status": new.status}, _end_id(new))
        elif silent % _SILENCE_ROUNDS == 0:
            yield b": nothing new\n\n"


def _end_id(news: RunNews) -> str | None:
    return _ENDED if news.status.is_final else None


def _event(name: str, data: Any, event_id: str | None = None) -> bytes:
    head = f"event: {name}\n" if event_id is None else f"id: {event_id}\nevent: {name}\n"
    return head.encode() + b"data: " + msgspec.json.encode(data) + b"\n\n"


def _text_stream(pieces: AsyncIterator[bytes]) -> Stream:
    return Stream(pieces, media_type="text/plain; charset=utf-8", status_code=200)
