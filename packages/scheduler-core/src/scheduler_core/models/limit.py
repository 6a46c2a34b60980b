"""Limits: how many runs may be running at once, and how often runs may start, over all workers."""

from datetime import datetime

import msgspec


class LimitDefinition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a user writes down; checked by `scheduler_core.decisions.limit_check`.

    `key` is an expression over a run's task, parameters and namespace: the limit counts by each of its values (None:
    over all runs together). Of one key at most `concurrent` runs run at once, and at most `rate` start within
    `rate_seconds`; after a quiet time up to `burst` may start together (None: as many as `rate`). In any stretch of T
    seconds so at most burst + rate x T / rate_seconds start.
    """

    name: str
    namespace: str = "default"
    description: str = ""
    key: str | None = None
    concurrent: int | None = None
    rate: int | None = None
    rate_seconds: float = 1.0
    burst: int | None = None


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A stored limit, and the names of the tasks that use it, in ascending order."""

    id: int
    namespace: str
    name: str
    description: str
    key: str | None
    concurrent: int | None
    rate: int | None
    rate_seconds: float
    burst: int | None
    tasks: tuple[str, ...] = ()
    created_at: datetime
    updated_at: datetime

    def definition(self) -> LimitDefinition:
        """Give back what a user would write to get this limit."""
        return LimitDefinition(**{name: getattr(self, name) for name in LimitDefinition.__struct_fields__})


class LimitUse(msgspec.Struct, frozen=True, kw_only=True):
    """How one key of a limit stands: runs that hold a permit, that are claimable, and that wait.

    `holders` are the first of the runs that hold one. `free_at` is when the next may start as far as the rate goes,
    None where it may now.
    """

    key: str
    running: int
    claimable: int
    waiting: int
    holders: tuple[int, ...] = ()
    free_at: datetime | None = None


class LimitKeyState(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it stands in a locked row, with its limit's numbers: what permits are decided from.

    `running` hold a permit now, `claimable` may be claimed at any moment. `tokens` starts were left at `refilled_at`
    (None: the bucket is full); `now` is the database's clock under the lock.
    """

    id: int
    now: datetime
    concurrent: int | None = None
    rate: int | None = None
    rate_seconds: float = 1.0
    burst: int | None = None
    running: int = 0
    claimable: int = 0
    tokens: float | None = None
    refilled_at: datetime | None = None
