"""What a definition may say about its place in a flow."""

from typing import Any

import pytest

from scheduler_core.decisions.task_rules import check_definition
from scheduler_core.models import Dependency, Schedule, TaskDefinition

TYPES = ("flow", "http", "shell")


def task(**fields: Any) -> TaskDefinition:
    """A definition that is fine but for these fields."""
    return TaskDefinition(
        **{"name": "a", "task_type": "shell", "parameters": {"command": ["date"]}, "dependencies": ("b", "c"), **fields}
    )


def sub_flow(**fields: Any) -> TaskDefinition:
    """A task that runs another flow."""
    return task(**{"task_type": "flow", "sub_flow": "other", "parameters": {}, **fields})


def on_interval(interval: str, upstream: str = "hourly", **fields: Any) -> TaskDefinition:
    """A daily task that waits for an interval."""
    dependency = Dependency(upstream, interval, **fields)
    return task(schedule=Schedule(cron="@daily"), dependencies=(dependency,))


@pytest.mark.parametrize(
    "definition",
    [
        task(trigger_rule="at_least(2)"),
        task(continue_on_failure=True, when="upstream.b.result.count > 0"),
        task(shards=1),
        task(shards=10_000, max_parallel=1, tolerated_failures=9_999),
        task(map_over="upstream.b.result", max_parallel=2, tolerated_failures=3),
        task(broadcast=True),
        sub_flow(),
        sub_flow(tolerated_failures=2, trigger_rule="one_failed", when="params == {}"),
        sub_flow(dependencies=(), schedule=Schedule(cron="@daily")),
        on_interval("contained", deadline=60),
        on_interval("previous:1", upstream="a"),
        task(dependencies=("b", Dependency("b", "previous:1"))),
        task(dependencies=("b", Dependency("hourly", "latest"), Dependency("hourly", "within:6h"))),
        task(parameters={"command": ["echo", "{{ upstream.b.result.name }}"]}),
        task(parameters={"command": "{{ upstream.b.result.command }}"}),
        task(task_type="http", parameters={"url": "{{ upstream.b.result.url }}", "expected_status": "{{ 200 }}"}),
    ],
)
def test_check_definition_accepts_flow_options(definition: TaskDefinition) -> None:
    """Every option alone and in combinations that make sense, numbers at their limits, values that are templates."""
    assert check_definition(definition, TYPES) == []


@pytest.mark.parametrize(
    ("definition", "field", "told"),
    [
        (task(trigger_rule="at_least(3)"), "trigger_rule", "only 2 dependencies"),
        (task(trigger_rule="all"), "trigger_rule", "There is no trigger rule 'all'"),
        (task(trigger_rule="all_done", dependencies=()), "trigger_rule", "Name dependencies"),
        (task(when="x" * 10_001), "when", "at most 10000"),
        (task(when="upstream.d.result"), "when", "d"),
        (task(map_over="5"), "map_over", "list"),
        (task(shards=0), "shards", "from 1 to 10000, not 0"),
        (task(shards=10_001), "shards", "not 10001"),
        (task(shards=2, broadcast=True), "broadcast", "broadcast and shards exclude each other"),
        (sub_flow(map_over="params.x"), "map_over", "map_over and sub_flow exclude"),
        (task(shards=2, max_parallel=0), "max_parallel", "at least 1, not 0"),
        (task(max_parallel=2), "max_parallel", "Give shards, map_over or broadcast"),
        (sub_flow(max_parallel=2), "max_parallel", "Give shards, map_over or broadcast"),
        (task(max_parallel=2**31), "max_parallel", "not 2147483648"),
        (task(shards=2, tolerated_failures=-1), "tolerated_failures", "not -1"),
        (task(shards=2, tolerated_failures=2), "tolerated_failures", "not less than shards 2"),
        (task(tolerated_failures=1), "tolerated_failures", "continue_on_failure"),
        (task(task_type="flow", parameters={}), "sub_flow", "Name that task in sub_flow"),
        (task(sub_flow="other"), "task_type", "type is flow, not 'shell'"),
        (sub_flow(parameters={"x": 1}), "parameters", "takes no parameters"),
        (sub_flow(parameters_schema={"type": "object"}), "parameters_schema", "Leave parameters_schema out"),
        (sub_flow(sub_flow="a"), "sub_flow", "its own sub-flow"),
        (sub_flow(sub_flow="7"), "sub_flow", "cannot be the name of a task"),
        (task(parameters_schema={"const": "\0"}), "parameters_schema", "NUL"),
        (on_interval("containd"), "dependencies.0.interval", "contained"),
        (on_interval("same", condition="at_least:2"), "dependencies.0.condition", "can never hold"),
        (on_interval("same", deadline=0), "dependencies.0.deadline", "not 0"),
        (on_interval("same", upstream="a"), "dependencies.0.interval", "Use previous:1"),
        (on_interval("same", upstream="7"), "dependencies", "cannot be the name of a task"),
        (task(dependencies=(Dependency("hourly", "same"),)), "dependencies", "Give the task a schedule"),
        (task(dependencies=("b",), schedule=Schedule(cron="@daily")), "dependencies", "on which interval"),
        (
            task(dependencies=("b", Dependency("h", "same"), Dependency("h", "same", deadline=5))),
            "dependencies",
            "'h' is named more than once with the interval same",
        ),
        (task(parameters={"command": "{{ upstream.d.result }}"}), "parameters.command", "d"),
        (task(parameters={"comand": "{{ upstream.b.result }}"}), "parameters.comand", "Did you mean command?"),
    ],
)
def test_check_definition_names_what_is_wrong_in_flow_options(
    definition: TaskDefinition, field: str, told: str
) -> None:
    """A refusal stands at its field and tells the remedy."""
    problems = check_definition(definition, TYPES)
    assert any(told in problem.message for problem in problems if problem.field == field), problems


def test_check_definition_tells_all_problems_of_flow_options_at_once() -> None:
    """One answer holds every problem, of options and dependencies alike."""
    definition = task(
        trigger_rule="none",
        sub_flow="7",
        shards=0,
        max_parallel=0,
        tolerated_failures=-1,
        dependencies=(Dependency("hourly", "no", "no", deadline=-1),),
    )
    assert {problem.field for problem in check_definition(definition, TYPES)} == {
        "trigger_rule",
        "task_type",
        "parameters",
        "sub_flow",
        "shards",
        "max_parallel",
        "tolerated_failures",
        "dependencies",
        "dependencies.0.interval",
        "dependencies.0.condition",
        "dependencies.0.deadline",
    }
