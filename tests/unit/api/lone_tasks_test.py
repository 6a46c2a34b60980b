"""Tasks that are remembered because they may stand alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from fixtures.clock import FrozenClock
from scheduler_api.lone_tasks import TASKS_MAX, LoneTasks
from scheduler_core.errors import TaskNotFoundError
from scheduler_core.interfaces import Store
from scheduler_core.models import RetryPolicy, Task, TaskStatus, UniquePolicy

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def build_task(**changes: Any) -> Task:
    """A task as the store gives it."""
    fields: dict[str, Any] = {
        "id": 1, "namespace": "default", "name": "a", "status": TaskStatus.ACTIVE, "version": 1, "task_version_id": 1,
        "description": "", "task_type": "shell", "parameters": {}, "schedule": None, "dependencies": (),
        "queue": "default", "priority": 5, "timeout_seconds": None, "max_retries": 0, "retry": RetryPolicy(),
        "next_run_at": None, "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    return Task(**{**fields, **changes})


class FakeStore:
    """Has the tasks of a dictionary, and counts how often one was read."""

    def __init__(self) -> None:
        self.tasks: Any = self
        self.stored: dict[str, Task] = {"a": build_task()}
        self.reads = 0

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator["FakeStore"]:
        """See Store."""
        yield self

    async def get(self, reference: str, namespace: str) -> Task:
        """See TaskRepository."""
        self.reads += 1
        if reference not in self.stored:
            raise TaskNotFoundError(reference, namespace)
        return self.stored[reference]


@pytest.fixture
def store() -> FakeStore:
    """A store with the task a."""
    return FakeStore()


@pytest.fixture
def lone_tasks(store: FakeStore, frozen_clock: FrozenClock) -> LoneTasks:
    """What is tested."""
    return LoneTasks(cast(Store, store), frozen_clock)


async def test_api_unit_lone_tasks_are_read_once(lone_tasks: LoneTasks, store: FakeStore) -> None:
    """One that may stand alone is remembered, by the name and the namespace that it was asked for with."""
    assert [await lone_tasks.get("a", "default") for _ in range(3)] == [store.stored["a"]] * 3
    assert store.reads == 1
    await lone_tasks.get("a", "other")
    assert store.reads == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"status": TaskStatus.PAUSED},
        {"dependencies": ("b",)},
        {"task_type": "flow", "sub_flow": "b"},
        {"shards": 2},
        {"limits": ("one",)},
        {"fairness_key": "params.tenant"},
        {"queue_timeout_seconds": 1.0},
        {"unique": UniquePolicy(key="params.x")},
        None,
    ],
    ids=str,
)
async def test_api_unit_lone_tasks_are_no_others(
    lone_tasks: LoneTasks, store: FakeStore, frozen_clock: FrozenClock, changes: dict[str, Any] | None
) -> None:
    """What does not stand alone, or is not there, is asked for again only after a while, and then counts as it is."""
    store.stored = {} if changes is None else {"a": build_task(**changes)}
    assert [await lone_tasks.get("a", "default") for _ in range(3)] == [None] * 3
    assert store.reads == 1

    store.stored = {"a": build_task(task_version_id=2)}
    frozen_clock.advance(9.0)
    assert await lone_tasks.get("a", "default") is None
    frozen_clock.advance(2.0)
    assert await lone_tasks.get("a", "default") == store.stored["a"]


async def test_api_unit_lone_tasks_that_were_passed_over_are_read_again(
    lone_tasks: LoneTasks, store: FakeStore, frozen_clock: FrozenClock
) -> None:
    """One that the database says has changed is forgotten."""
    await lone_tasks.get("a", "default")
    store.stored["a"] = build_task(task_version_id=2)

    lone_tasks.pass_over("a", "default")

    assert await lone_tasks.get("a", "default") is None
    frozen_clock.advance(11.0)
    assert await lone_tasks.get("a", "default") == store.stored["a"]


async def test_api_unit_lone_tasks_are_only_so_many(
    lone_tasks: LoneTasks, store: FakeStore, frozen_clock: FrozenClock
) -> None:
    """Whoever asks for ever new names costs no more memory, whether they are there or not."""
    store.stored |= {f"t{number}": build_task(id=number) for number in range(TASKS_MAX)}
    for number in range(2 * TASKS_MAX):
        await lone_tasks.get(f"t{number}", "default")
    await lone_tasks.get("a", "default")
    reads = store.reads
    await lone_tasks.get("t0", "default")
    await lone_tasks.get(f"t{TASKS_MAX - 1}", "default")
    assert store.reads == reads + 1
    assert len(lone_tasks._tasks) <= TASKS_MAX
    assert len(lone_tasks._passed_over) <= TASKS_MAX
