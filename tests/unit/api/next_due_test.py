"""The first due instant."""

from datetime import UTC, datetime, timedelta

import pytest

from scheduler_api.next_due import first_due, past_problems
from scheduler_core.models import Schedule, TaskDefinition

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


def test_past_problems_names_an_instant_that_is_over() -> None:
    """A new instant in the past is refused; the one that the task has already is left in peace."""
    definition = TaskDefinition(name="a", task_type="shell", schedule=at(-3600))
    assert [problem.field for problem in past_problems(definition, None, NOW)] == ["schedule.at"]
    assert past_problems(definition, at(-3600), NOW) == []
