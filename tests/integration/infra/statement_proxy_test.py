"""A store behind a proxy that knows its statements: what passes is named, and can be kept from either side."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fixtures.crash_points import CrashAt, CrashPoint, DropReplies, StatementProxy, StatementRule, statement_proxy
from fixtures.factories import build_definition, build_session
from scheduler_core.errors import StoreUnavailableError
from scheduler_core.interfaces import Store
from scheduler_infra.database import DatabaseConfig, open_store


@asynccontextmanager
async def _opened(proxy: StatementProxy, state_dir: Path) -> AsyncIterator[Store]:
    config = DatabaseConfig(url=proxy.url, connect_timeout_seconds=5.0)
    store = await open_store(config, state_dir=state_dir, application_name="tests", keeps_plans=True)
    try:
        yield store
    finally:
        await store.close()


async def _open_session(store: Store) -> int:
    async with store.autocommit() as work:
        return await work.worker_sessions.open(build_session())


async def test_infra_integration_statements_pass_with_their_names(database_url: str, tmp_path: Path) -> None:
    """A statement is seen before it is sent on and after its answer, prepared or not; a transaction at its end."""
    with statement_proxy(database_url) as proxy:
        async with _opened(proxy, tmp_path) as store:
            session_id = await _open_session(store)
            proxy.rule = rule = StatementRule()
            # Often enough to be prepared by the driver.
            for _ in range(8):
                async with store.autocommit() as work:
                    assert await work.worker_sessions.renew(session_id, draining=False) == []
            async with store.transaction() as work:
                await work.tasks.create([build_definition()], [None])
    assert rule.seen[CrashPoint("before", "renew_session")] == rule.seen[CrashPoint("after", "renew_session")] == 8
    assert rule.seen[CrashPoint("before", "create_tasks")] == 1
    assert CrashPoint("after", "create_tasks") not in rule.seen
    (commit,) = [point for point in rule.seen if point.moment == "after" and "create_tasks" in point.statement]
    assert commit.statement.startswith("COMMIT of ")


async def test_infra_integration_dropped_answer_leaves_the_change(database_url: str, tmp_path: Path) -> None:
    """Whoever loses the answer to a COMMIT gets an error although all is stored, and works again afterwards."""
    kind = {True: "creates", False: None}
    rule = DropReplies(lambda statement: kind["create_tasks" in statement], share=1.0, most=1, seed=1)
    definition = build_definition()
    with statement_proxy(database_url) as proxy:
        async with _opened(proxy, tmp_path) as store:
            proxy.rule = rule
            with pytest.raises(StoreUnavailableError):
                async with store.transaction() as work:
                    await work.tasks.create([definition], [None])
            async with store.autocommit() as work:
                page = await work.tasks.page(None, limit=10)
    assert rule.dropped == {"creates": 1}
    assert [task.name for task in page] == [definition.name]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_infra_integration_crash_at_a_commit_is_before_or_after_it(
    database_url: str, tmp_path: Path, moment: str
) -> None:
    """Before it nothing is stored, after it everything."""
    crashed: list[str] = []
    with statement_proxy(database_url) as proxy:
        async with _opened(proxy, tmp_path) as store:
            proxy.rule = rule = StatementRule()
            async with store.transaction() as work:
                await work.tasks.create([build_definition()], [None])
            (commit,) = [p for p in rule.seen if p.moment == "before" and "COMMIT" in p.statement]
            proxy.rule = CrashAt(CrashPoint(moment, commit.statement), lambda: crashed.append(moment))
            with pytest.raises(StoreUnavailableError):
                async with store.transaction() as work:
                    await work.tasks.create([build_definition()], [None])
            proxy.rule = StatementRule()
            async with store.autocommit() as work:
                page = await work.tasks.page(None, limit=10)
    assert crashed == [moment]
    assert len(page) == {"before": 1, "after": 2}[moment]
