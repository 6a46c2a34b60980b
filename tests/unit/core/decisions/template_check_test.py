"""Templates and expressions of definitions, judged before any run has them."""

import subprocess
import sys
from typing import Any

import pytest

from scheduler_core.decisions.templates import template_problems
from scheduler_core.errors import Problem
from scheduler_core.models import Dependency, TaskDefinition


def problems(**changes: Any) -> list[Problem]:
    """What is wrong with a task after extract and load."""
    fields: dict[str, Any] = {"name": "t", "task_type": "python", "dependencies": ("extract", Dependency("d", "same"))}
    return template_problems(TaskDefinition(**{**fields, **changes}))


def messages(text: str, **changes: Any) -> list[str]:
    """What is said of one parameter with this text."""
    found = problems(parameters={"kwargs": {"x": ["y", text]}}, **changes)
    assert {problem.field for problem in found} <= {"parameters.kwargs.x.1"}
    return [problem.message for problem in found]


@pytest.mark.parametrize(
    "template",
    [
        "{{ upstream.extract.result.rows | length }}",
        "{% for r in upstream.extract.results %}{{ loop.index }}{{ r.x.y }}{% endfor %}",
        "{{ params.anything.at.all | default(1) }}",
        "{{ run.scheduled_at | date('%Y') }}{{ interval.from }}{{ interval.to }}",
    ],
)
def test_core_template_problems_accepts_what_may_be_there(template: str) -> None:
    """What only a run can tell is left to it."""
    assert messages(template) == []


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "{{ upstream.extrct.result }}",
            "upstream.extrct is not there: the task does not depend on 'extrct' in its flow.",
        ),
        ("{{ upstream.d.result }}", "upstream.d is not there: the task does not depend on 'd' in its flow."),
        ("{{ upstream.extract.reslt }}", "upstream.extract has no 'reslt'."),
        ("{{ upstream }}", "upstream stands before the name of a task"),
        ("{{ upstream[params.x] }}", "upstream is followed by the name of a task in quotes"),
        ("{{ run.ip }}", "run has no 'ip'."),
        ("{{ interval.start }}", "interval has no 'start'."),
        ("{{ item.x }}", "item is what a run of a task with map_over is for"),
        ("{{ shard.index }}", "shard belongs to the runs of a task with shards, map_over or broadcast"),
        ("{{ result }}", "there is no 'result'."),
        ("{{ 1 | frobnicate }}", "there is no filter frobnicate."),
        ("{{ 1 is frobnicated }}", "there is no test frobnicated."),
        ("{{ 1", "'{{ 1' cannot be read: "),
        ("{% for a in [1] %}{{ a }}{% endfor %}{{ a }}", "there is no 'a'."),
    ],
)
def test_core_template_problems_names_what_can_never_be(template: str, message: str) -> None:
    """A template that can never be rendered is refused with its field and the reason."""
    found = messages(template)
    assert len(found) == 1
    assert found[0].startswith(message)


def test_core_template_problems_tells_all_at_once() -> None:
    """Several faults of one template and of several fields come together."""
    found = problems(parameters={"a": "{{ nope }}{{ 1 | nope }}"}, when="{{ 1 }}", map_over="nope")

    assert [problem.field for problem in found] == ["when", "map_over", "parameters.a", "parameters.a"]


def test_core_template_problems_knows_groups() -> None:
    """Item and shard are there for parameters of the groups that have them, and never for when and map_over."""
    assert messages("{{ item }}{{ shard.index }}", map_over="upstream.extract.result") == []
    assert messages("{{ shard.total }}", shards=3) == []
    assert messages("{{ shard.total }}", broadcast=True) == []
    assert len(messages("{{ item }}", shards=3)) == 1
    early = problems(map_over="[item]", when="shard.index == 0")
    assert [problem.field for problem in early] == ["when", "map_over"]
    assert early[0].message.startswith("shard is not known yet")


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("'abc'", "a text"),
        ("3", "a number"),
        ("{'a': 1}", "no list"),
        ("1 + 2", "no list"),
        ("upstream.extract", "a run and no list: write upstream.extract.result"),
        ("upstream.extract.status", "a text or number"),
        ("upstream.extract.result | length", "what the filter length gives"),
        ("params.kwargs.n", "a number"),
        ("params.kwargs", "an object"),
        ("params", "an object"),
    ],
)
def test_core_template_problems_refuses_maps_over_no_list(expression: str, kind: str) -> None:
    """What is certain to be no list is refused where a map would go over it."""
    (problem,) = problems(map_over=expression, parameters={"kwargs": {"n": 3}})

    assert problem.field == "map_over"
    assert kind in problem.message


@pytest.mark.parametrize(
    "expression",
    [
        "upstream.extract.result",
        "upstream.extract.results",
        "[1, 2]",
        "params.kwargs.list",
        "params.missing",
        "range(3)",
    ],
)
def test_core_template_problems_leaves_other_maps_to_the_run(expression: str) -> None:
    """What may be a list is accepted."""
    assert problems(map_over=expression, parameters={"kwargs": {"list": [1]}}) == []


def test_core_template_problems_refuses_templates_of_templates() -> None:
    """A parameter that is a template itself has no value yet for another one."""
    found = problems(parameters={"kwargs": {"day": "{{ run.id }}", "path": "/{{ params.kwargs.day }}"}})

    assert found == [
        Problem(
            "parameters.kwargs.path",
            "params.kwargs.day is a template itself, which is not rendered first. Write it out here, too.",
        )
    ]


def test_core_templates_load_jinja2_for_templates_only() -> None:
    """Who has no template never pays for the library; the first template loads it."""
    program = (
        "import sys\n"
        "from scheduler_core.decisions.templates import TemplateContext, has_templates, needs_upstream\n"
        "from scheduler_core.decisions.templates import render_parameters, template_problems\n"
        "from scheduler_core.models import TaskDefinition\n"
        "plain = {'command': ['date', '${#a}']}\n"
        "has_templates(plain), needs_upstream(plain)\n"
        "template_problems(TaskDefinition(name='a', task_type='shell', parameters=plain))\n"
        "print('jinja2' in sys.modules)\n"
        "render_parameters({'a': '{{ 1 }}'}, TemplateContext(params={}, upstream={}, run={}))\n"
        "print('jinja2' in sys.modules)\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.split() == ["False", "True"]


@pytest.mark.parametrize("field", ["when", "map_over"])
def test_core_template_problems_knows_no_attempt_before_the_first(field: str) -> None:
    """A condition and a list are evaluated once, before there is any attempt; templates have one."""
    (problem,) = problems(**{field: "run.attempt == 1 and params.x"})

    assert problem.field == field
    assert problem.message.endswith("is evaluated before the first attempt.")
    assert problems(**{field: "params.run.attempt"}) == []
    assert messages("{{ run.attempt }}") == []


@pytest.mark.parametrize(
    "when", ["none", "true", "1", "not false", "'x' == 'y'", "[1][0] > 2", "range(3) | length > 2"]
)
def test_core_template_problems_refuses_a_condition_that_never_changes(when: str) -> None:
    """A condition without any name is a mistake."""
    (problem,) = problems(when=when)

    assert problem.field == "when"
    assert "is a condition that never changes." in problem.message
    assert problems(when=f"params.x or {when}") == []


def test_core_template_problems_writes_names_with_signs_in_brackets() -> None:
    """Who writes a name with a hyphen after a dot is told how it is written."""
    found = messages("{{ upstream.g-root.result }}", dependencies=("g-root",))

    assert found[0].endswith("Write upstream['g-root'].")
    assert messages("{{ upstream['g-root'].result }}", dependencies=("g-root",)) == []
    assert not messages("{{ upstream.g.result }}", dependencies=("group",))[0].endswith("Write upstream['group'].")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "'' cannot be read: the expression is empty."),
        (" ", "' ' cannot be read: the expression is empty."),
        ("params.a **2", "** is not allowed in expressions."),
        ("params.a ==", "'params.a ==' cannot be read: unexpected end of it."),
    ],
)
def test_core_template_problems_speaks_of_expressions(expression: str, message: str) -> None:
    """What is said of a condition is not about templates and their braces."""
    assert [problem.message for problem in problems(when=expression)] == [message]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ 'a' | replace('b') }}", "the filter replace is written replace(old, new)."),
        ("{{ 'a' | upper(1) }}", "the filter upper takes no arguments."),
        ("{{ 1.5 | round(digits=1) }}", "the filter round is written round(precision=0)."),
        ("{{ 1 | default(1, true, 3) }}", "the filter default is written default(default_value='', boolean=False)."),
        ("{{ [1] | selectattr }}", "the filter selectattr is written selectattr(attribute, *test)."),
        ("{{ 1 is divisibleby }}", "the test divisibleby is written divisibleby(number)."),
        ("{{ 1 is odd(2) }}", "the test odd takes no arguments."),
        ("{{ 1 is eq }}", "the test eq is written eq(other)."),
    ],
)
def test_core_template_problems_counts_arguments(template: str, message: str) -> None:
    """Arguments that a filter or test does not take, or lacks, are told before anything is rendered."""
    assert messages(template) == [message]


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' | replace('b', 'c') | default('x', true) | d }}{{ 1.5 | round(precision=1) }}",
        "{{ [1] | sort(reverse=true) }}{{ params.x | default(default_value=1) }}",
        "{{ [1] | map('round', 2) | select('gt', 1) | select | list }}{{ [{}] | selectattr('a.b', 'eq', 1) }}",
        "{{ [{}] | map(attribute='a', default=0) | sum(start=1) }}{{ 4 is divisibleby(2) }}{{ 4 is even }}",
        "{{ run.scheduled_at | date('%Y', 'Europe/Berlin') }}{{ 'a' is none }}{{ params.x is defined }}",
        "{{ 1 is eq(1) }}{{ 1 in [1] }}",
    ],
)
def test_core_template_problems_accepts_the_arguments_that_there_are(template: str) -> None:
    """Every way to write the arguments of a filter or test stays."""
    assert messages(template) == []
