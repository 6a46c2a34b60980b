"""Who names whom otherwise than as a dependency within a flow, as PostgreSQL knows it."""

from fixtures.factories import create_task
from scheduler_core.interfaces import Store
from scheduler_core.models import Dependency, Schedule, TaskStatus
from scheduler_core.models.task_link import LinkKind, TaskLink


async def test_tasks_integration_links_around_reach_over_edges_and_links(store: Store) -> None:
    """All links of what is connected are told, in whichever direction, and none of strangers or deleted tasks."""
    hourly = await create_task(store, name="hourly", schedule=Schedule(cron="@hourly"))
    down = await create_task(store, name="down", dependencies=("hourly",))
    waits = (Dependency("down", "contained"), Dependency("down", "latest"), Dependency("hourly", "contained"))
    daily = await create_task(store, name="daily", schedule=Schedule(cron="@daily"), dependencies=waits)
    outer = await create_task(store, name="outer", task_type="flow", parameters={}, sub_flow="daily")
    gone = await create_task(store, name="gone", task_type="flow", parameters={}, sub_flow="hourly")
    lonely = await create_task(store, name="lonely", dependencies=(Dependency("lonely", "previous:1"),))
    alone = await create_task(store, name="alone")
    async with store.transaction() as work:
        await work.tasks.set_status([gone.id], TaskStatus.INACTIVE)
    expected = [
        TaskLink(daily.id, LinkKind.INTERVAL, hourly.id),
        TaskLink(daily.id, LinkKind.INTERVAL, down.id),
        TaskLink(outer.id, LinkKind.SUB_FLOW, daily.id),
    ]
    async with store.autocommit() as work:
        for start in (hourly, down, daily, outer):
            assert await work.tasks.links_around([start.id]) == expected
        assert await work.tasks.links_around([alone.id]) == []
        assert await work.tasks.links_around([alone.id, lonely.id]) == [
            TaskLink(lonely.id, LinkKind.INTERVAL, lonely.id)
        ]
