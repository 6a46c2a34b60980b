"""The first due instant."""

from datetime import UTC, datetime, timedelta

import pytest

from scheduler_api.next_due import first_due, past_problems
from scheduler_core.models import PauseWindow, Schedule, TaskDefinition

NOW = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)


def at(seconds: float) -> Schedule:
    """Once, so many seconds from now."""
    return Schedule(at=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        (None, None),
        (Schedule(cron="* * * * *"), datetime(2026, 1, 1, 12, 1, tzinfo=UTC)),
        (at(5), NOW + timedelta(seconds=5)),
        (at(-5), NOW - timedelta(seconds=5)),
        (at(-3600), None),
    ],
)
def test_first_due_is_strictly_later_or_just_missed(schedule: Schedule | None, due: datetime | None) -> None:
    """D3: a task that never ran is due at its next slot; an instant that has just passed is due at once."""
    assert first_due(schedule, NOW) == due


def test_first_due_goes_back_no_further_than_a_former_schedule_has_counted() -> None:
    """What that has counted is on record: an instant of it is over, however short ago."""
    assert first_due(at(-5), NOW, counted_until=NOW) is None
    assert first_due(at(-5), NOW, counted_until=NOW - timedelta(seconds=5)) is None
    assert first_due(at(-5), NOW, counted_until=NOW - timedelta(seconds=6)) == NOW - timedelta(seconds=5)


def test_past_problems_grants_no_grace_where_a_schedule_counted() -> None:
    """In place of another schedule, or of one that was removed later, an instant that has passed is an error."""
    definition = TaskDefinition(name="a", task_type="shell", schedule=at(-5))
    assert past_problems(definition, None, NOW) == []
    for problems in (
        past_problems(definition, Schedule(cron="* * * * *"), NOW),
        past_problems(definition, None, NOW, NOW - timedelta(seconds=1)),
    ):
        assert [problem.field for problem in problems] == ["schedule.at"]
    assert past_problems(definition, None, NOW, NOW - timedelta(seconds=60)) == []


def test_past_problems_names_an_instant_that_is_over() -> None:
    """A new instant in the past is refused; the one that the task has already is left in peace."""
    definition = TaskDefinition(name="a", task_type="shell", schedule=at(-3600))
    assert [problem.field for problem in past_problems(definition, None, NOW)] == ["schedule.at"]
    assert past_problems(definition, at(-3600), NOW) == []


@pytest.mark.parametrize(
    "window",
    [
        PauseWindow(cron="0 22 * * *", lasts=8 * 3600),
        PauseWindow(starts_at=NOW - timedelta(days=1), until=NOW + timedelta(days=366 * 60)),
    ],
)
def test_past_problems_tells_of_pauses_that_leave_nothing(window: PauseWindow) -> None:
    """A schedule all of whose slots are paused is a mistake, not a task that waits."""
    definition = TaskDefinition(name="a", task_type="shell", schedule=Schedule(cron="30 2 * * *", pauses=(window,)))
    [problem] = past_problems(definition, None, NOW)
    assert (problem.field, "Every slot lies in a pause window" in problem.message) == ("schedule.pauses", True)
