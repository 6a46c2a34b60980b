"""Slots of many due schedules, computed once for those that are equal."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from scheduler_core.decisions.schedule_rules import is_seeded
from scheduler_core.decisions.slot_plan import SlotPlan, plan_slots
from scheduler_core.models import DueSchedule, Schedule, SlotPolicies


class _Kind(NamedTuple):
    """What the slots of a due schedule depend on, beside how far back its record goes."""

    schedule: Schedule
    seed: int
    policies: SlotPolicies
    next_due_at: datetime | None


class SharedPlans:
    """Plans the slots of a batch of due schedules at one moment.

    Tasks that were made one after the other have their slots recorded up to different instants. So the one that goes
    back furthest is planned, and the others share its plan when no slot lies between its instant and theirs.
    """

    def __init__(self, due: Sequence[DueSchedule], now: datetime) -> None:
        self._now = now
        self._furthest: dict[_Kind, datetime] = {}
        self._plans: dict[tuple[_Kind, int], SlotPlan] = {}
        for each in due:
            kind = _kind(each)
            self._furthest[kind] = min(each.recorded_until, self._furthest.get(kind, each.recorded_until))

    def plan_of(self, due: DueSchedule, runs_max: int) -> SlotPlan:
        """The slots of one of the batch; see plan_slots."""
        kind = _kind(due)
        furthest = self._furthest[kind]
        plan = self._plans.get((kind, runs_max))
        if plan is None:
            first = msgspec.structs.replace(due, recorded_until=furthest)
            plan = self._plans[kind, runs_max] = plan_slots(first, self._now, runs_max=runs_max)
        if due.recorded_until == furthest or _holds_for(plan, due):
            return plan
        return plan_slots(due, self._now, runs_max=runs_max)


def _kind(due: DueSchedule) -> _Kind:
    # The seed decides on H and on the jitter, and on nothing else.
    seed = due.seed if due.schedule.jitter or is_seeded(due.schedule) else 0
    return _Kind(due.schedule, seed, due.policies, due.next_due_at)


def _holds_for(plan: SlotPlan, due: DueSchedule) -> bool:
    first = min([run.scheduled_at for run in plan.runs[:1]] + [stretch.first for stretch in plan.skipped], default=None)
    return first is not None and due.recorded_until < first
