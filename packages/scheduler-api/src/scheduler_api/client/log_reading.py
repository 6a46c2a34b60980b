"""Reads what runs print, to its present end or until the run is final."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from scheduler_api.client.client_error import ServerUnreachableError
from scheduler_api.client.run_waiting import POLL_SECONDS_FIRST, POLL_SECONDS_MAX, is_final
from scheduler_api.schemas.cursor import encode_cursor

if TYPE_CHECKING:
    from scheduler_api.client.api_client import ApiClient

LOG_PAGE_ENTRIES = 1000
AWAY_SECONDS_MAX = 30.0

_PART_OF_LOG = ("tail", "from_line", "lines")


def read_log(api: "ApiClient", run_id: int | str, **query: Any) -> Iterator[dict[str, Any]]:
    """What a run has printed so far, piece by piece in the order of (attempt, sequence); `query` as the API has it."""
    if any(query.get(name) is not None for name in _PART_OF_LOG):
        yield from api.get("task-runs", run_id, "logs", **query)["items"]
    elif query.get("search") is not None or query.get("pattern") is not None:
        for page in api.pages("task-runs", run_id, "logs", limit=LOG_PAGE_ENTRIES, **query):
            yield from page["items"]
    else:
        yield from _LogReader(api, run_id, query).new_entries()


def follow_log(
    api: "ApiClient",
    run_id: int | str,
    *,
    tail: int | None = None,
    tell: Callable[[Mapping[str, Any]], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    **query: Any,
) -> Iterator[dict[str, Any] | None]:
    """What a run prints, as it comes, until the run is final; None whenever it prints nothing new for the moment.

    Everything that was stored before the run became final is given out; with `tail` only the last lines of what was
    there before. `tell` is given the run at every look. A server that is away is waited for, AWAY_SECONDS_MAX at most.
    """
    reader = _LogReader(api, run_id, query)
    if tail is not None:
        yield from reader.last_lines(tail)
    pause = POLL_SECONDS_FIRST
    # The first look tells that there is a server; later on it may be started again.
    away_seconds = AWAY_SECONDS_MAX
    while True:
        printed = False
        try:
            # The status is read first: what a run prints is stored before it is reported as finished.
            run = api.get("task-runs", run_id)
            if tell is not None:
                tell(run)
            for entry in reader.new_entries():
                printed = True
                yield entry
        except ServerUnreachableError:
            if away_seconds >= AWAY_SECONDS_MAX:
                raise
            away_seconds += POLL_SECONDS_MAX
            sleep(POLL_SECONDS_MAX)
            continue
        away_seconds = 0.0
        if is_final(run["status"]):
            return
        yield None
        pause = POLL_SECONDS_FIRST if printed else min(pause * 1.5, POLL_SECONDS_MAX)
        sleep(pause)


class _LogReader:
    """Reads on after the last entry that was seen."""

    def __init__(self, api: "ApiClient", run_id: int | str, query: Mapping[str, Any]) -> None:
        self._api = api
        self._run_id = run_id
        self._query = query
        self._cursor: str | None = None
        self._last = (0, 0)

    def last_lines(self, count: int) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self._page(tail=count)["items"]
        if items:
            self._last = (items[-1]["attempt"], items[-1]["sequence"])
        return items

    def new_entries(self) -> Iterator[dict[str, Any]]:
        while True:
            after = encode_cursor("log", *self._last) if self._last > (0, 0) else None
            page = self._page(cursor=self._cursor, after=after, limit=LOG_PAGE_ENTRIES)
            fresh = [entry for entry in page["items"] if (entry["attempt"], entry["sequence"]) > self._last]
            if fresh:
                self._last = (fresh[-1]["attempt"], fresh[-1]["sequence"])
            yield from fresh
            cursor = page.get("next_cursor")
            if cursor is None or (cursor == self._cursor and not fresh):
                return
            self._cursor = cursor

    def _page(self, **query: Any) -> Any:
        return self._api.get("task-runs", self._run_id, "logs", **self._query, **query)
