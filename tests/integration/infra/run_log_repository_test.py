"""Output and progress of runs in PostgreSQL."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fixtures.database import every_postgresql
from fixtures.factories import build_plan, claim, create_runs, create_task, open_session
from scheduler_core.errors import InvalidInputError
from scheduler_core.interfaces import Store
from scheduler_core.models import LogFilter, RunKey, RunLogEntry, RunNews, RunProgress, TaskRunStatus
from scheduler_infra.database.run_log_repository import PostgresRunLogRepository

pytestmark = every_postgresql

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def entry(run_id: int, sequence: int, content: str, first_line: int | None, **changes: Any) -> RunLogEntry:
    """A piece of stdout whose lines come one second after another."""
    lines = content.count("\n") + (not content.endswith("\n"))
    fields: dict[str, Any] = {
        "run_id": run_id,
        "attempt": 1,
        "sequence": sequence,
        "stream": "stdout",
        "logged_at": NOON,
        "content": content,
        "line_offsets": [1000 * place for place in range(lines)],
        "first_line": first_line,
        "first_byte": 0,
    }
    return RunLogEntry(**{**fields, **changes})


async def begun(store: Store) -> tuple[int, int]:
    """A session and a run that it carries out."""
    await create_runs(store, build_plan(await create_task(store)))
    session = await open_session(store)
    (run,) = await claim(store, session)
    return session, run.id


async def test_infra_integration_lines_of_logs_are_found(store: Store) -> None:
    """Ranges, the end, streams, instants and texts are found by the database, with the numbers of the lines."""
    session, run = await begun(store)
    entries = [
        entry(run, 1, "a1\nb2 begins", 1),
        entry(run, 2, "an error\n", 3, stream="stderr"),
        entry(run, 3, " and ends\nc4\nd5\n", 4, line_offsets=[0, 5000]),
        entry(run, 4, "no number\n", None, line_offsets=None, first_byte=None),
    ]
    async with store.autocommit() as work:
        logs = work.run_logs
        assert await logs.append(session, entries) == 4

        async def sequences(answer: list[RunLogEntry]) -> list[int]:
            return [found.sequence for found in answer]

        assert await logs.read(run) == entries
        assert await logs.read(run, only=LogFilter(stream="stderr")) == [entries[1]]
        assert await sequences(await logs.read(run, only=LogFilter(since=NOON + timedelta(seconds=1.5)))) == [3]
        assert await logs.read(run, only=LogFilter(attempt=2)) == []
        assert await sequences(await logs.range(run, 2, 2)) == [1, 2]
        assert await sequences(await logs.range(run, 5, 9)) == [3]
        assert await sequences(await logs.tail(run, 1)) == [4]
        assert await sequences(await logs.tail(run, 3)) == [3, 4]
        assert await sequences(await logs.tail(run, 3, only=LogFilter(stream="stderr"))) == [2]

        found = await logs.search(run, text="s")
        assert [(each.sequence, each.content, each.lines) for each in found.entries] == [
            (1, "b2 begins\n", [2]),
            (3, " and ends\n", [3]),
        ]
        assert found.last == (1, 4)
        assert await logs.search(run, text="s", after=(1, 4)) == ([], None)
        (fits,) = (await logs.search(run, pattern=r"^[cd]\d$")).entries
        assert (fits.content, fits.lines, fits.line_offsets) == ("c4\nd5\n", [4, 5], [0, 5000])
        (late,) = (
            await logs.search(run, pattern=r"^[cd]\d$", only=LogFilter(since=NOON + timedelta(seconds=3)))
        ).entries
        assert late.content == "d5\n"
        (unnumbered,) = (await logs.search(run, text="number")).entries
        assert (unnumbered.content, unnumbered.lines) == ("no number\n", None)
        with pytest.raises(InvalidInputError, match=r"pattern '\(' is no regular expression of PostgreSQL: parenth"):
            await logs.search(run, pattern="(")


async def test_infra_integration_progress_is_fenced(store: Store) -> None:
    """Progress is taken from whoever carries out the attempt, and not shown of an attempt before."""
    session, run = await begun(store)
    stranger = await open_session(store)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    told = RunProgress(share=0.5, text="half", metrics={"rows": 12.0})
    async with store.autocommit() as work:
        assert (await work.task_runs.get(run)).progress is None
        assert await work.run_logs.report_progress(session, {RunKey(run, 1): told}, now) == 1
        for whose, key in [(stranger, RunKey(run, 1)), (session, RunKey(run, 2)), (session, RunKey(run + 1, 1))]:
            assert await work.run_logs.report_progress(whose, {key: RunProgress(share=0.9)}) == 0
        expected = RunProgress(share=0.5, text="half", metrics={"rows": 12.0}, reported_at=now)
        assert (await work.task_runs.get(run)).progress == expected
        assert await work.run_logs.news(run) == RunNews(status=TaskRunStatus.RUNNING, progress=expected)

        await work.task_runs.hand_back(session, [RunKey(run, 1)])
        assert await work.run_logs.report_progress(session, {RunKey(run, 1): RunProgress(share=1.0)}) == 0
        assert await work.run_logs.news(run + 1) is None
        await work.task_runs.admit(10)
    await claim(store, session)
    async with store.autocommit() as work:
        again = await work.task_runs.get(run)
        assert (again.attempt, again.progress) == (2, None), "progress of an attempt before"


async def test_infra_integration_search_refuses_a_pattern_that_takes_too_long(store: Store) -> None:
    """What the server gives up because of its time limit is told of the pattern, not as a fault of the system."""
    session, run = await begun(store)
    async with store.autocommit() as work:
        await work.run_logs.append(session, [entry(run, 1, "a" * 60_000 + "\n", 1)])

    with pytest.raises(InvalidInputError, match=r"is too much work for PostgreSQL: .*\. Make it simpler"):
        await hurried_search(store, run, "(?:a?){250}a{250}b|(?:b?a){250}c")


async def hurried_search(store: Store, run: int, pattern: str) -> None:
    """Search with a server that gives each statement a few milliseconds."""
    async with store.transaction() as work:
        assert isinstance(work.run_logs, PostgresRunLogRepository)
        await work.run_logs._connection.execute("SET LOCAL statement_timeout = 5")
        await work.run_logs.search(run, pattern=pattern)
