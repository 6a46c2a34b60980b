"""Limits in requests and answers."""

from datetime import datetime

import msgspec

from scheduler_core.models import DEFAULT_NAMESPACE, Limit, LimitUse


class LimitBody(msgspec.Struct, kw_only=True):
    """What a user writes down about a limit.

    `key` is an expression over a run's task, parameters and namespace, such as params.customer: the limit counts by
    each of its values (null: over all runs together). Of one key at most `concurrent` runs run at once, and at most
    `rate` start within `rate_seconds`: a number needs both, and text such as 100/min says both in `rate`. After a quiet
    time up to `burst` may start together (null: as many as `rate`).
    """

    name: str
    namespace: str = DEFAULT_NAMESPACE
    description: str = ""
    key: str | None = None
    concurrent: int | None = None
    rate: int | str | None = None
    rate_seconds: float | None = None
    burst: int | None = None


class LimitView(msgspec.Struct, kw_only=True):
    """A limit in an answer, and the names of the tasks that use it, in ascending order."""

    id: int
    namespace: str
    name: str
    description: str
    key: str | None
    concurrent: int | None
    rate: int | None
    rate_seconds: float | None
    burst: int | None
    tasks: list[str]
    created_at: datetime
    updated_at: datetime


class LimitPage(msgspec.Struct, kw_only=True):
    """Limits in ascending id order."""

    items: list[LimitView]
    next_cursor: str | None


class LimitKeyItems(msgspec.Struct, kw_only=True):
    """How the keys of a limit stand, those with most waiting runs first.

    Of a key that is in no item nothing runs or waits, and its next run may start at once.
    """

    items: list[LimitUse]


READ_ONLY_LIMIT_FIELDS = tuple(name for name in LimitView.__struct_fields__ if name not in LimitBody.__struct_fields__)


def limit_view(limit: Limit) -> LimitView:
    """A limit as answers show it."""
    fields = {name: getattr(limit, name) for name in LimitView.__struct_fields__}
    seconds = None if limit.rate is None else limit.rate_seconds
    return LimitView(**{**fields, "rate_seconds": seconds, "tasks": list(limit.tasks)})


class AppliedLimit(msgspec.Struct, kw_only=True):
    """What came of one limit of a list: `change` is created, updated or unchanged; a dry run creates no id."""

    name: str
    namespace: str
    change: str
    id: int | None
