"""Previews of schedules: what is asked and what is answered."""

from datetime import datetime
from typing import Any

import msgspec

from scheduler_api.schemas.schedule_schema import ScheduleBody
from scheduler_core.models import DEFAULT_NAMESPACE, OnGap, OnOverlap

SLOTS = 10
SLOTS_MAX = 1000


class PreviewBody(msgspec.Struct, kw_only=True):
    """A schedule to be looked at, with `timezone` beside it as in a task.

    `name` and `namespace` are those that its task will have: H and jitter depend on them. The slots are later than
    `from`, now unless it is given.
    """

    schedule: str | ScheduleBody
    timezone: str | None = None
    name: str = ""
    namespace: str = DEFAULT_NAMESPACE
    since: datetime | None = msgspec.field(name="from", default=None)
    count: int = SLOTS
    viewer_timezone: str | None = None


class PreviewFrame(msgspec.Struct, kw_only=True):
    """A PreviewBody whose schedule is read by its own reader."""

    schedule: Any
    timezone: str | None = None
    name: str = ""
    namespace: str = DEFAULT_NAMESPACE
    since: datetime | None = msgspec.field(name="from", default=None)
    count: int = SLOTS
    viewer_timezone: str | None = None


class PreviewSlot(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A slot in UTC, in the schedule's time zone and in the viewer's, if one was asked for.

    Its run starts at `not_before`, when that is later by jitter; a slot in a pause window gets no run.
    """

    scheduled_at: datetime
    local: str
    viewer: str | None = None
    not_before: datetime | None = None
    paused: bool = False


class DstRules(msgspec.Struct, kw_only=True, frozen=True):
    """What becomes of local times that the clocks skip or show twice."""

    on_gap: OnGap
    on_overlap: OnOverlap


class SchedulePreview(msgspec.Struct, kw_only=True):
    """What a schedule means: its text form (without pause windows), words, and its next slots.

    `rules` are those that count, chosen or by default; null when clock changes do not matter, or when its rules differ.
    """

    schedule: str
    words: str
    timezone: str
    rules: DstRules | None
    slots: list[PreviewSlot]
