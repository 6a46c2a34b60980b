"""Triggers that give back a run that is there already."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from scheduler_core.models import TaskRunStatus


class UniqueRun(msgspec.Struct, frozen=True):
    """The latest run of a key, when its first trigger came, and how long ago that is by the database's clock.

    `status` is None for a run that was removed since.
    """

    run_id: int
    status: TaskRunStatus | None
    created_at: datetime
    age_seconds: float


class UniqueRunRepository(Protocol):
    """The latest run of each value of a task's unique key. Belongs to a transaction, in which keys stay locked."""

    async def lock(
        self, task_id: int, keys: Sequence[str], now: datetime | None = None
    ) -> Mapping[str, UniqueRun | None]:
        """Lock these keys, new ones too, against other triggers until the commit, and say which runs they stand for."""

    async def take(self, task_id: int, key: str, run_id: int, now: datetime | None = None) -> None:
        """The locked key stands for this run from now on."""

    async def put_off(
        self,
        run_id: int,
        seconds: float,
        latest: datetime | None,
        parameters: str | None,
        now: datetime | None = None,
        *,
        is_new: bool = False,
    ) -> bool:
        """A PENDING run that waits for nothing but its time starts in `seconds`, not after `latest`, with `parameters`.

        These are JSON text, None: the run has none of its own. Returns False when it waits for something else, has been
        claimed or has ended, or is due already and not `is_new`: made by this transaction.
        """
