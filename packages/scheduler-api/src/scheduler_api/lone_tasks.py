"""Tasks as they were read a while ago, for triggers that check in the database whether that still holds."""

from collections import OrderedDict
from typing import Final

from scheduler_api.task_reference import parse_task_reference
from scheduler_core.errors import NotFoundError
from scheduler_core.interfaces import Clock, Store
from scheduler_core.models import Task, TaskStatus
from scheduler_core.models.flow_options import FLOW_TASK_TYPE

TASKS_MAX: Final = 1000
_PASSED_OVER_SECONDS = 10.0


class LoneTasks:
    """Remembers tasks that may stand alone: nothing says otherwise in what was read of them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._tasks: OrderedDict[tuple[str, str], Task] = OrderedDict()
        self._passed_over: dict[tuple[str, str], float] = {}

    async def get(self, reference: str, namespace: str) -> Task | None:
        """The task as it was read, maybe long ago; None for one that does not stand alone, or is not there."""
        key = (namespace, reference)
        if (until := self._passed_over.get(key)) is not None:
            if self._clock.monotonic() < until:
                return None
            del self._passed_over[key]
        task = self._tasks.get(key)
        if task is None:
            task = await self._read(reference, namespace)
            if task is None or not _may_stand_alone(task):
                self.pass_over(reference, namespace)
                return None
            self._tasks[key] = task
            if len(self._tasks) > TASKS_MAX:
                self._tasks.popitem(last=False)
        self._tasks.move_to_end(key)
        return task

    def pass_over(self, reference: str, namespace: str) -> None:
        """It was found to be another, or not to stand alone: only after a while it is read again."""
        key = (namespace, reference)
        self._tasks.pop(key, None)
        if len(self._passed_over) >= TASKS_MAX:
            self._passed_over.clear()
        self._passed_over[key] = self._clock.monotonic() + _PASSED_OVER_SECONDS

    async def _read(self, reference: str, namespace: str) -> Task | None:
        try:
            async with self._store.autocommit() as work:
                return await work.tasks.get(parse_task_reference(reference, namespace), namespace)
        except NotFoundError:
            return None


def _may_stand_alone(task: Task) -> bool:
    is_member = bool(task.dependencies) or task.when is not None or task.task_type == FLOW_TASK_TYPE
    is_group = task.shards is not None or task.map_over is not None or task.broadcast
    waits = bool(task.limits) or task.fairness_key is not None or task.queue_timeout_seconds is not None
    return task.status is TaskStatus.ACTIVE and task.unique is None and not (is_member or is_group or waits)
