"""Task bodies into definitions."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_api.schemas.task_input import read_task, read_task_changes
from scheduler_api.schemas.task_schema import TaskBody
from scheduler_core.models import RetryPolicy, Schedule, TaskDefinition

TYPES = {"shell", "python", "http"}
COMMAND = {"command": ["true"]}


def body(**changes: Any) -> dict[str, Any]:
    """A body that is fine."""
    return {"name": "a", "task_type": "shell", "parameters": COMMAND, **changes}


@pytest.mark.parametrize(
    ("fields", "schedule"),
    [
        ({"schedule": "0 9 * * *"}, Schedule(cron="0 9 * * *")),
        ({"schedule": "0 9 * * *", "timezone": "Asia/Tokyo"}, Schedule(cron="0 9 * * *", timezone="Asia/Tokyo")),
        ({"schedule": {"cron": "@daily", "timezone": "Asia/Tokyo"}}, Schedule(cron="@daily", timezone="Asia/Tokyo")),
        ({"schedule": {"cron": "@daily"}, "timezone": "Asia/Tokyo"}, Schedule(cron="@daily", timezone="Asia/Tokyo")),
        ({"schedule": {"at": "2099-01-01T00:00:00Z"}}, Schedule(at=datetime(2099, 1, 1, tzinfo=UTC))),
        ({"schedule": None}, None),
        ({"timezone": "UTC"}, None),
        ({}, None),
    ],
)
def test_read_task_takes_each_form_of_schedule(fields: dict[str, Any], schedule: Schedule | None) -> None:
    """Cron text, cron with a zone beside or inside, and one instant mean what the contract says."""
    read = read_task(body(**fields), TYPES)
    assert read.problems == []
    assert read.definition.schedule == schedule


def test_read_task_tells_types_and_rules_together() -> None:
    """A wrong type in one field does not hide a broken rule in another, and no field is told twice."""
    read = read_task(
        {
            "name": "7",
            "task_type": "shel",
            "priority": "high",
            "schedule": {"cron": "61 * * * *", "timezone": "Mars"},
            "max_retries": -1,
            "colour": "red",
        },
        TYPES,
        "tasks.3.",
    )
    fields = [problem.field for problem in read.problems]
    assert sorted(fields) == [
        "tasks.3.colour",
        "tasks.3.max_retries",
        "tasks.3.name",
        "tasks.3.priority",
        "tasks.3.schedule.cron",
        "tasks.3.schedule.timezone",
        "tasks.3.task_type",
    ]


def test_read_task_takes_shell_text_as_it_is() -> None:
    """D14: text with ; | & $ ( ) is a command, not an attack."""
    command = "cd /tmp; ls | wc -l && echo $(id) `date` > x & wait"
    read = read_task(body(parameters={"command": command, "shell": True}), TYPES)
    assert read.problems == []
    assert read.definition.parameters["command"] == command


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"schedule": {"cron": "@daily", "timezone": "UTC"}, "timezone": "Asia/Tokyo"}, "timezone"),
        ({"timezone": "Mars"}, "timezone"),
        ({"schedule": "@daily", "timezone": ""}, "schedule.timezone"),
        ({"schedule": {"cron": "@daily", "timezone": ""}}, "schedule.timezone"),
        ({"schedule": {"at": "0001-01-01T00:00:00+14:00"}}, "schedule.at"),
        ({"schedule": {}}, "schedule"),
        ({"schedule": {"cron": "@daily", "at": "2099-01-01T00:00:00Z"}}, "schedule"),
        ({"schedule": 5}, "schedule"),
        ({"name": "x" * 256}, "name"),
        ({"name": "12"}, "name"),
        ({"parameters": {"command": ["a\0b"]}}, "parameters"),
        ({"dependencies": ["a"]}, "dependencies"),
        ({"id": 5}, "id"),
    ],
)
def test_read_task_refuses(fields: dict[str, Any], field: str) -> None:
    """What cannot be used is told at its field."""
    assert field in [problem.field for problem in read_task(body(**fields), TYPES).problems]


BEFORE = TaskDefinition(
    name="a",
    task_type="python",
    parameters={"callable": "m:f"},
    schedule=Schedule(cron="@daily"),
    retry=RetryPolicy(jitter=0.5),
)


def test_read_task_changes_replaces_only_what_is_given() -> None:
    """Fields that are not named stay; null takes the schedule away."""
    read = read_task_changes({"schedule": None, "priority": 9}, BEFORE, TYPES)
    assert read.problems == []
    assert read.definition == TaskDefinition(
        name="a", task_type="python", parameters={"callable": "m:f"}, priority=9, retry=RetryPolicy(jitter=0.5)
    )


def test_read_task_changes_moves_the_schedule_to_another_zone() -> None:
    """A time zone alone applies to the schedule that is there."""
    read = read_task_changes({"timezone": "Asia/Tokyo"}, BEFORE, TYPES)
    assert read.problems == []
    assert read.definition.schedule == Schedule(cron="@daily", timezone="Asia/Tokyo")


def test_read_task_changes_keeps_a_type_that_nobody_knows_now() -> None:
    """A task whose workers are away can still be changed, but not to another unknown type."""
    before = TaskDefinition(name="a", task_type="spark")
    assert read_task_changes({"priority": 1}, before, TYPES).problems == []
    assert [p.field for p in read_task_changes({"task_type": "flink"}, before, TYPES).problems] == ["task_type"]


def test_read_task_changes_stays_in_the_namespace() -> None:
    """A task cannot be moved to another namespace."""
    assert [p.field for p in read_task_changes({"namespace": "b"}, BEFORE, TYPES).problems] == ["namespace"]


def test_read_task_changes_needs_a_schedule_for_a_zone() -> None:
    """A zone for no schedule is refused instead of being forgotten."""
    before = TaskDefinition(name="a", task_type="python", parameters={"callable": "m:f"})
    assert [p.field for p in read_task_changes({"timezone": "UTC"}, before, TYPES).problems] == ["timezone"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
SCHEDULES = st.fixed_dictionaries({}, optional={"cron": JSON_VALUES, "at": JSON_VALUES, "timezone": JSON_VALUES})
FIELDS = dict.fromkeys(TaskBody.__struct_fields__, JSON_VALUES) | {"schedule": SCHEDULES | JSON_VALUES}


@settings(max_examples=200, deadline=None)
@given(document=JSON_VALUES | st.fixed_dictionaries({}, optional=FIELDS))
def test_read_task_never_fails_on_json(document: Any) -> None:
    """Whatever JSON comes, it is a definition that can be stored or a list of problems, never an error."""
    read = read_task(document, TYPES)
    changes = read_task_changes(document, BEFORE, TYPES)
    for result in (read, changes):
        assert all(isinstance(problem.message, str) for problem in result.problems)
        if not result.problems:
            assert msgspec.json.decode(msgspec.json.encode(result.definition), type=TaskDefinition) == result.definition


def test_api_unit_task_input_refuses_a_schema_that_no_parameters_can_keep() -> None:
    """What the schema requires has to be a parameter of the task's type."""
    body = {
        "name": "t",
        "task_type": "shell",
        "parameters": {"command": ["date"]},
        "parameters_schema": {"required": ["command", "day", "values"]},
    }

    (problem,) = read_task(body, ["shell"]).problems

    assert problem.field == "parameters_schema.required"
    assert problem.message.startswith("'day' can never be given. A shell task has no such parameter.")
    assert read_task({**body, "task_type": "other"}, ["other"]).problems == []
