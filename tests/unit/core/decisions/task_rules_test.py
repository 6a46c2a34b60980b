"""Task definitions that are accepted and refused."""

import re
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.decisions.task_rules import check_definition
from scheduler_core.models import RetryPolicy, Schedule, TaskDefinition

GOOD = TaskDefinition(name="extract", task_type="shell", parameters={"command": ["date"]})
TYPES = ("http", "python", "shell")


def changed(**fields: Any) -> TaskDefinition:
    """A good definition with these fields."""
    return msgspec.structs.replace(GOOD, **fields)


@pytest.mark.parametrize(
    "definition",
    [
        GOOD,
        changed(name="a"),
        changed(name="x" * 255),
        changed(name="7 dwarfs"),
        changed(name="Übersicht (täglich) #1"),
        changed(priority=1, timeout_seconds=None, max_retries=100),
        changed(misfire_grace_seconds=1.0, misfire_runs_max=1000),
        changed(misfire_grace_seconds=31_622_400.0, misfire_runs_max=1),
        changed(priority=10, timeout_seconds=604_800.0),
        changed(schedule=Schedule(cron="*/5 * * * *", timezone="Asia/Tokyo")),
        changed(schedule=Schedule(at=datetime(2030, 1, 1, tzinfo=UTC))),
        changed(dependencies=tuple(f"upstream-{n}" for n in range(50))),
        changed(retry=RetryPolicy(0.0, 1.0, 0.0, 0.0)),
        changed(parameters={"command": ["echo", "a backslash and u0000: \\u0000"]}),
        changed(namespace="team_a.eu-1", queue="gpu", description="x" * 10_000),
    ],
)
def test_check_definition_accepts_what_is_legitimate(definition: TaskDefinition) -> None:
    """Values at their limits and unusual but harmless names are accepted."""
    assert check_definition(definition, TYPES) == []


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"name": ""}, "name", "needs a name"),
        ({"misfire_grace_seconds": 0.5}, "misfire_grace_seconds", "from 1 to 31622400"),
        ({"misfire_grace_seconds": float("nan")}, "misfire_grace_seconds", "not nan"),
        ({"misfire_grace_seconds": 31_622_401.0}, "misfire_grace_seconds", "366 days"),
        ({"misfire_runs_max": 0}, "misfire_runs_max", "set misfire to skip"),
        ({"misfire_runs_max": 1001}, "misfire_runs_max", "from 1 to 1000"),
        ({"name": "x" * 256}, "name", "256 characters"),
        ({"name": "42"}, "name", "all digits"),
        ({"name": "٤٢"}, "name", "all digits"),
        ({"name": " a"}, "name", "begins or ends with a space"),
        ({"name": "a\n"}, "name", "space"),
        ({"name": "a\tb"}, "name", "control character"),
        ({"name": "a\ud800"}, "name", "control character"),
        ({"name": "a/b"}, "name", "slash"),
        ({"name": "a\\b"}, "name", "slash"),
        ({"namespace": ""}, "namespace", "not valid"),
        ({"namespace": "a b"}, "namespace", "'a b'"),
        ({"queue": "-x"}, "queue", "'-x'"),
        ({"queue": "x" * 101}, "queue", "1 to 100"),
        ({"task_type": "shel"}, "task_type", "Did you mean shell?"),
        ({"task_type": "cobol"}, "task_type", "Known: http, python, shell."),
        ({"priority": 0}, "priority", "not 0"),
        ({"priority": 11}, "priority", "not 11"),
        ({"timeout_seconds": 0.0}, "timeout_seconds", "more than 0"),
        ({"timeout_seconds": -1.0}, "timeout_seconds", "not -1"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds", "not nan"),
        ({"timeout_seconds": float("inf")}, "timeout_seconds", "not inf"),
        ({"timeout_seconds": 604_801.0}, "timeout_seconds", "604800"),
        ({"max_retries": -1}, "max_retries", "not -1"),
        ({"max_retries": 101}, "max_retries", "not 101"),
        ({"retry": RetryPolicy(delay_seconds=-1)}, "retry.delay_seconds", "not -1"),
        ({"retry": RetryPolicy(multiplier=0.5)}, "retry.multiplier", "not 0.5"),
        ({"retry": RetryPolicy(max_delay_seconds=float("nan"))}, "retry.max_delay_seconds", "not nan"),
        ({"retry": RetryPolicy(jitter=1.5)}, "retry.jitter", "not 1.5"),
        ({"retry": RetryPolicy(delay_seconds=7200)}, "retry.delay_seconds", "above max_delay_seconds 3600"),
        ({"parameters": {"command": ["a", "x" * 1_048_577]}}, "parameters", "at most 1048576"),
        ({"parameters": {"command": ["a"], "env": {"A": "\0"}}}, "parameters", "NUL"),
        ({"parameters": {"command": []}}, "parameters.command", "empty"),
        ({"parameters": {"command": ["a"], "env": {"A": "\ud800"}}}, "parameters", "cannot be written as JSON"),
        ({"parameters": {"command": ["a"], "env": {"A": object()}}}, "parameters", "cannot be written as JSON"),
        ({"schedule": Schedule(cron="61 * * * *")}, "schedule.cron", "minute"),
        ({"dependencies": ("extract",)}, "dependencies", "depend on itself"),
        ({"dependencies": ("a", "b", "a")}, "dependencies", "'a' is named more than once"),
        ({"dependencies": tuple(map(str.lower, map(chr, range(0x4E00, 0x4E00 + 501))))}, "dependencies", "at most 500"),
        ({"dependencies": ("7",)}, "dependencies", "cannot be the name of a task"),
        ({"dependencies": ("a",), "schedule": Schedule(cron="@daily")}, "dependencies", "Remove the schedule"),
        ({"description": "x" * 10_001}, "description", "at most 10000"),
        ({"description": "\0"}, "description", "no NUL"),
    ],
)
def test_check_definition_names_what_is_wrong(fields: dict[str, Any], field: str, told: str) -> None:
    """A refusal names the field, the value and the remedy."""
    problems = check_definition(changed(**fields), TYPES)
    assert field in [problem.field for problem in problems]
    assert any(told in problem.message for problem in problems if problem.field == field), problems


def test_check_definition_tells_all_problems_at_once() -> None:
    """One answer holds every problem of a definition."""
    problems = check_definition(
        TaskDefinition(
            name="7",
            task_type="shel",
            priority=0,
            max_retries=-1,
            schedule=Schedule(cron="61 * * * *", timezone="Berlin"),
            dependencies=("7",),
        ),
        TYPES,
    )
    assert {problem.field for problem in problems} == {
        "name",
        "task_type",
        "priority",
        "max_retries",
        "schedule.cron",
        "schedule.timezone",
        "dependencies",
    }


def test_check_definition_leaves_the_type_open_when_nobody_says_which_exist() -> None:
    """Without a list of types any well-formed one is accepted."""
    assert check_definition(changed(task_type="spark", parameters={"x": 1})) == []
    assert [problem.field for problem in check_definition(changed(task_type="a b"))] == ["task_type"]


@given(name=st.text(max_size=300))
def test_check_definition_accepts_no_name_that_could_be_an_id(name: str) -> None:
    """Whatever text comes, it is judged without an error, and what is accepted fits the store and an address."""
    if not check_definition(changed(name=name), TYPES):
        assert re.fullmatch("[0-9]+", name) is None
        assert 1 <= len(name) <= 255
        assert not set(name) & set("/\\\0\n")


def test_check_definition_counts_dependencies_before_it_looks_at_them() -> None:
    """A hundred thousand names are one problem, found in no time: nobody else is served meanwhile."""
    started = time.process_time()
    problems = check_definition(changed(dependencies=tuple(f"t{n}" for n in range(100_000))))
    assert time.process_time() - started < 1
    assert [problem.field for problem in problems] == ["dependencies"]


@pytest.mark.parametrize("name", [".", ".."])
def test_check_definition_refuses_names_that_clients_take_out_of_addresses(name: str) -> None:
    """/tasks/.. is /tasks for every browser and library, so no such task could be reached by name."""
    [problem] = check_definition(changed(name=name))
    assert "part of an address" in problem.message
