"""Why tasks make no run, and what has become of slots."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from fixtures.explain_cases import NOW, build_session_facts, build_system
from scheduler_core.decisions.explain_task import SlotCase, TaskCase, slot_blockers, task_blockers
from scheduler_core.models import (
    MisfirePolicy,
    RetryPolicy,
    Schedule,
    SlotReason,
    Task,
    TaskStatus,
)
from scheduler_core.models.ledger import LedgerEntry
from scheduler_core.models.situation import TaskSituation

HOUR = timedelta(hours=1)
HOURLY = Schedule(cron="0 * * * *")


def build_task(**changes: Any) -> Task:
    """An active task with an hourly schedule."""
    fields: dict[str, Any] = {
        "id": 3, "namespace": "default", "name": "report", "status": TaskStatus.ACTIVE, "version": 1,
        "task_version_id": 3, "description": "", "task_type": "shell", "parameters": {}, "schedule": HOURLY,
        "dependencies": (), "queue": "default", "priority": 5, "timeout_seconds": None, "max_retries": 0,
        "retry": RetryPolicy(), "next_run_at": None, "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    return Task(**{**fields, **changes})


def build_task_case(*, task: Task | None = None, alive: int = 1, **changes: Any) -> TaskCase:
    """An hourly task whose next slot is in an hour."""
    fields: dict[str, Any] = {
        "task_id": 3, "status_since": NOW, "schedule": HOURLY, "seed": 1, "has_upstream": False,
        "recorded_until": NOW, "next_due_at": NOW + HOUR, "awaits_run_id": None, "waiting_runs": 0,
    }  # fmt: skip
    return TaskCase(
        task=task or build_task(),
        situation=TaskSituation(**{**fields, **changes}),
        system=build_system(build_session_facts(), alive=alive),
    )


def build_slot_case(instant: datetime, *, task: TaskCase | None = None, **changes: Any) -> SlotCase:
    """A slot that is in no ledger."""
    fields: dict[str, Any] = {"entry": None, "is_slot": True}
    return SlotCase(task=task or build_task_case(), instant=instant, **{**fields, **changes})


def build_entry(reason: SlotReason, count: int = 1) -> LedgerEntry:
    """A stretch of the ledger that begins now."""
    return LedgerEntry(
        scheduled_at=NOW, last_scheduled_at=NOW + (count - 1) * HOUR, count=count, run_id=None, run_status=None,
        run_completed_at=None, reason=reason, zone_data=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("case", "codes"),
    [
        (build_task_case(), ["NOT_DUE"]),
        (build_task_case(alive=0), ["DISPATCHER_DOWN", "NOT_DUE"]),
        (build_task_case(next_due_at=NOW - HOUR), []),
        (build_task_case(next_due_at=NOW - HOUR, alive=0), ["DISPATCHER_DOWN", "NOT_RECORDED"]),
        (build_task_case(task=build_task(status=TaskStatus.PAUSED), next_due_at=None), ["PAUSED"]),
        (build_task_case(task=build_task(status=TaskStatus.INACTIVE), next_due_at=None), ["DELETED"]),
        (build_task_case(next_due_at=None), ["EXHAUSTED"]),
        (build_task_case(next_due_at=None, awaits_run_id=9), ["AFTER_END"]),
        (build_task_case(schedule=None, next_due_at=None), ["NO_START"]),
        (build_task_case(schedule=None, next_due_at=None, has_upstream=True), []),
    ],
)
def test_core_unit_explain_task_names_every_blocker(case: TaskCase, codes: list[str]) -> None:
    """Each situation of a task has exactly its blockers."""
    assert [view.code.value for view in task_blockers(case)] == codes


@pytest.mark.parametrize(
    ("case", "codes"),
    [
        (build_slot_case(NOW + HOUR), ["NOT_DUE"]),
        (build_slot_case(NOW, task=build_task_case(recorded_until=NOW - HOUR)), ["NOT_RECORDED"]),
        (
            build_slot_case(
                NOW,
                task=build_task_case(task=build_task(status=TaskStatus.PAUSED), recorded_until=NOW - HOUR, alive=0),
            ),
            ["DISPATCHER_DOWN", "PAUSED", "NOT_RECORDED"],
        ),
        (build_slot_case(NOW - HOUR), ["NO_SLOT"]),
        (build_slot_case(NOW, is_slot=False), ["NO_SLOT"]),
        (build_slot_case(NOW, is_slot=False, entry=build_entry(SlotReason.PAUSED, 3)), ["NO_SLOT"]),
        (build_slot_case(NOW, is_slot=None), ["NO_SLOT"]),
        *((build_slot_case(NOW, entry=build_entry(reason)), [reason.value]) for reason in SlotReason),
    ],
)
def test_core_unit_explain_slot_names_every_blocker(case: SlotCase, codes: list[str]) -> None:
    """Slots to come, due ones, those of the ledger, and instants that are none."""
    assert [view.code.value for view in slot_blockers(case)] == codes


def test_core_unit_explain_slot_tells_the_policy_behind_a_reason() -> None:
    """What the task says about late slots stands in the sentence, and how many slots are alike."""
    task = build_task(misfire=MisfirePolicy.SKIP, misfire_grace_seconds=30.0)
    case = build_slot_case(NOW, task=build_task_case(task=task), entry=build_entry(SlotReason.MISFIRED, 3))
    assert [view.message for view in slot_blockers(case)] == [
        ("The slot 2027-03-01 12:00:00 UTC got no run: too late, or one of too many (misfire = \"skip\", "
        "misfire_grace_seconds = 30, misfire_runs_max = 100). It is one of 3 such slots from 2027-03-01 12:00:00 UTC "
        "to 2027-03-01 14:00:00 UTC.")
    ]  # fmt: skip


def test_core_unit_explain_slot_names_the_nearest_slots() -> None:
    """An instant without a slot is told beside those before and after it."""
    case = build_slot_case(NOW + HOUR / 2, is_slot=False, before=NOW, after=NOW + HOUR)
    assert [view.message for view in slot_blockers(case)] == [
        (
            "The schedule of 'report' has no slot at 2027-03-01 12:30:00 UTC; the one before is 2027-03-01 12:00:00 "
            "UTC and the one after is 2027-03-01 13:00:00 UTC."
        )
    ]
