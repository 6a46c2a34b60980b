"""Reads what runs print: pages, ranges, searches, and all of it as it comes."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

from scheduler_api.log_lines import last_lines, line_range, lines_since
from scheduler_api.task_reference import parse_run_id
from scheduler_core.errors import TaskRunNotFoundError
from scheduler_core.interfaces import Clock, Store
from scheduler_core.models import LogFilter, RunLogEntry, RunNews

Place = tuple[int, int]

_ENTRIES_MAX = 1000
_PAGE_CHARS = 2 * 1024 * 1024
"""A page with so many may have been cut short: the store gives about 8 MiB, and no character has more than 4 bytes."""
_SEARCH_SECONDS = 2.0
_POLL_SECONDS_FIRST = 0.1
_POLL_SECONDS_MAX = 1.0


class LogPage(NamedTuple):
    """Entries, and where to go on; None at the present end."""

    entries: list[RunLogEntry]
    next_place: Place | None


class RunLogService:
    """What can be read of the output of runs. All raise TaskRunNotFoundError where there is no such run.

    Once `stopping` is set, those that follow a run are sent away; they come back to where they were.
    """

    def __init__(self, store: Store, clock: Clock, stopping: asyncio.Event | None = None) -> None:
        self._store = store
        self._clock = clock
        self._stopping = stopping or asyncio.Event()

    async def page(self, run_id: str, only: LogFilter, *, after: Place, limit: int) -> LogPage:
        """The entries after (attempt, sequence); less than `limit` where they are long."""
        number = parse_run_id(run_id)
        async with self._store.autocommit() as work:
            entries = await work.run_logs.read(number, after=after, limit=limit + 1, only=only)
            if not entries and await work.run_logs.news(number) is None:
                raise TaskRunNotFoundError(number)
        shown = entries[:limit]
        is_more = len(entries) > limit or sum(len(entry.content) for entry in shown) >= _PAGE_CHARS
        return LogPage(_since(shown, only), _place(shown[-1]) if is_more else None)

    async def tail(self, run_id: str, only: LogFilter, lines: int) -> LogPage:
        """The last lines."""
        number = await self._known(run_id)
        async with self._store.autocommit() as work:
            entries = await work.run_logs.tail(number, lines, only=only)
        return LogPage(_since(last_lines(entries, lines), only), None)

    async def range(self, run_id: str, only: LogFilter, from_line: int, lines: int) -> LogPage:
        """So many lines of one attempt, the last one with output unless it is named."""
        number = await self._known(run_id)
        to_line = from_line + lines - 1
        async with self._store.autocommit() as work:
            entries = await work.run_logs.range(number, from_line, to_line, only=only)
        return LogPage(_since(line_range(entries, from_line, to_line), only), None)

    async def search(
        self, run_id: str, only: LogFilter, *, text: str | None, pattern: str | None, after: Place, limit: int
    ) -> LogPage:
        """The lines that fit, one entry for each piece that has such; a page may be empty and still not be the last."""
        number = await self._known(run_id)
        found: list[RunLogEntry] = []
        deadline = time.monotonic() + _SEARCH_SECONDS
        while True:
            async with self._store.autocommit() as work:
                answer = await work.run_logs.search(number, text=text, pattern=pattern, after=after, only=only)
            found += answer.entries
            if answer.last is None:
                return LogPage(found, None)
            after = answer.last
            if len(found) >= limit:
                shown = found[:limit]
                return LogPage(shown, _place(shown[-1]) if len(found) > limit else after)
            if time.monotonic() > deadline or sum(len(entry.content) for entry in found) > _PAGE_CHARS:
                return LogPage(found, after)

    async def text(self, run_id: str, only: LogFilter, *, after: Place) -> AsyncIterator[bytes]:
        """All of it as it was printed, piece by piece."""
        place: Place | None = after
        while place is not None:
            entries, place = await self.page(run_id, only, after=place, limit=_ENTRIES_MAX)
            yield text_of(entries)

    async def follow(
        self, run_id: str, only: LogFilter, *, after: Place, first: list[RunLogEntry]
    ) -> AsyncIterator[RunLogEntry | RunNews | None]:
        """`first`, then what is printed after that, and how the run stands whenever that has changed; None: no news.

        Ends after the status of a run that is final, which is the last that is told.
        """
        number = parse_run_id(run_id)
        for entry in first:
            yield entry
            after = _place(entry)
        told: RunNews | None = None
        pause = _POLL_SECONDS_FIRST
        while not self._stopping.is_set():
            async with self._store.autocommit() as work:
                # The status is read first: what a run prints is stored before it is reported as finished.
                news = await work.run_logs.news(number)
                entries = await work.run_logs.read(number, after=after, limit=_ENTRIES_MAX, only=only)
            for entry in _since(entries, only):
                yield entry
            if entries:
                after = _place(entries[-1])
                pause = _POLL_SECONDS_FIRST
                if news is None or news.status.is_final:
                    # There may be more than came at once.
                    continue
            if news is None:
                return
            if news != told:
                yield news
                told = news
            if news.status.is_final:
                return
            if not entries:
                yield None
                pause = min(pause * 1.5, _POLL_SECONDS_MAX)
            await self._clock.sleep(pause)

    async def _known(self, run_id: str) -> int:
        number = parse_run_id(run_id)
        async with self._store.autocommit() as work:
            if await work.run_logs.news(number) is None:
                raise TaskRunNotFoundError(number)
        return number


def text_of(entries: list[RunLogEntry]) -> bytes:
    """What was printed, as bytes."""
    return "".join(entry.content for entry in entries).encode("utf-8", "replace")


def _since(entries: list[RunLogEntry], only: LogFilter) -> list[RunLogEntry]:
    return entries if only.since is None else lines_since(entries, only.since)


def _place(entry: RunLogEntry) -> Place:
    return entry.attempt, entry.sequence
