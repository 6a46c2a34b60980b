"""What templates and expressions give, and what they say when they give nothing."""

from datetime import UTC, datetime
from typing import Any

import pytest

from scheduler_core.decisions.templates import (
    TemplateContext,
    evaluate,
    has_templates,
    needs_upstream,
    render_parameters,
    upstream_context,
)
from scheduler_core.errors import TemplateError
from scheduler_core.models import RunInputs, TaskRunStatus, UpstreamRun

ROWS = [{"name": "b", "size": 2, "ok": True}, {"name": "a", "size": 5, "ok": False}]
INPUTS = RunInputs(
    run_id=9,
    upstream=(
        UpstreamRun(
            task_name="extract", run_id=7, status=TaskRunStatus.COMPLETED, result={"rows": ROWS, "note": "it's"}
        ),
        UpstreamRun(task_name="load-all", run_id=8, status=TaskRunStatus.FAILED, results=({"n": 1}, None, {"n": 3})),
    ),
)


def context(**changes: Any) -> TemplateContext:
    """What a run after two others knows."""
    fields: dict[str, Any] = {
        "params": {"day": "monday", "items": 5, "list": [3, 1, 2], "nested": {"deep": [1, {"x": "y"}]}},
        "upstream": upstream_context(INPUTS),
        "run": {
            "id": 9,
            "flow_id": 4,
            "attempt": 2,
            "task": "report",
            "namespace": "default",
            "scheduled_at": datetime(2026, 1, 31, 6, tzinfo=UTC),
        },
        "interval": {"from": datetime(2026, 1, 30, 23, tzinfo=UTC), "to": datetime(2026, 1, 31, 23, tzinfo=UTC)},
    }
    return TemplateContext(**{**fields, **changes})


def rendered(text: str, **changes: Any) -> Any:
    """What a parameter with this text becomes."""
    return render_parameters({"p": text}, context(**changes))["p"]


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ params.items + 1 }}", 6),
        ("{{ params.list }}", [3, 1, 2]),
        ("{{ params.nested.deep[1].x }}", "y"),
        ("{{ params['nested']['deep'][-2] }}", 1),
        ("{{ upstream.extract.result.rows }}", ROWS),
        ("{{ upstream['load-all'].results }}", [{"n": 1}, None, {"n": 3}]),
        ("{{ upstream.extract.status }}", "COMPLETED"),
        ("{{ upstream.extract.run_id }}", 7),
        ("{{ run.attempt > 1 and run.task == 'report' }}", True),
        ("{{ 1 < params.items < 9 }}", True),
        ("{{ 9 < params.items < 10 }}", False),
        ("{{ 7 // 2 }}", 3),
        ("{{ 7 % 4 - 1 / 2 }}", 2.5),
        ("{{ -params.items }}", -5),
        ("{{ {'a': [1, (2, none)]} }}", {"a": [1, [2, None]]}),
        ("{{ 'x' if params.items > 9 else 'y' }}", "y"),
        ("{{ 'x' if params.items > 9 }}", ""),
        ("{{ params.missing | default(7) }}", 7),
        ("{{ params.missing is defined }}", False),
        ("{{ not params.list }}", False),
        ("{{ 3 in params.list and 'mon' in params.day and 'day' in params }}", True),
        ("{{ params.list[1:] }}", [1, 2]),
        ("{{ params.get('none', 4) }}", 4),
        ("{{ range(3) }}", [0, 1, 2]),
        ("{{ params.day is string and params.list is sequence and params.items is odd }}", True),
        ("{{ true == 1 }}", False),
    ],
)
def test_core_render_parameters_gives_values_of_lone_expressions(template: str, value: Any) -> None:
    """A parameter that is one expression becomes its JSON value, of whatever kind."""
    assert rendered(template) == value
    assert type(rendered(template)) is type(value)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("at {{ params.day }}!", "at monday!"),
        ("{{ params.items }}{{ params.items }}", "55"),
        (" {{ params.items }}", " 5"),
        ("{{ params.items }}\n", "5\n"),
        ("{{ true }} {{ none }} {{ [1, 'ü'] }} {{ 1.5 }}", 'true null [1,"ü"] 1.5'),
        ("-{{ interval.from }}", "-2026-01-30T23:00:00Z"),
        (
            "{% for row in upstream.extract.result.rows if row.size > 2 %}{{ loop.index }}{{ row.name }}{% endfor %}",
            "1a",
        ),
        ("{% for k, v in params.nested.items() %}{{ k }}={{ v | length }}{% endfor %}", "deep=2"),
        ("{% for x in [] %}{{ x }}{% else %}none{% endfor %}", "none"),
        ("{% if params.items == 5 %}five{% elif true %}other{% endif %}", "five"),
        ("{% raw %}{{ .Names }}{% endraw %}", "{{ .Names }}"),
        ("n=${#list[@]} {{ params.items }}", "n=${#list[@]} 5"),
        ("{{ 'a' ~ 1 ~ params.list }}", "a1[3,1,2]"),
    ],
)
def test_core_render_parameters_gives_text_of_templates(template: str, text: str) -> None:
    """Everything but a lone expression becomes text, in which values stand as JSON and instants as RFC 3339."""
    assert rendered(template) == text


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("params.list | sort", [1, 2, 3]),
        ("params.list | sort(reverse=true) | first", 3),
        ("[params.list | min, params.list | max, params.list | sum, params.list | last]", [1, 3, 6, 2]),
        ("upstream.extract.result.rows | map(attribute='name') | join('+')", "b+a"),
        ("upstream.extract.result.rows | sort(attribute='size') | map(attribute='size') | list", [2, 5]),
        ("upstream.extract.result.rows | selectattr('ok') | length", 1),
        ("upstream.extract.result.rows | rejectattr('size', 'gt', 3) | map(attribute='name') | list", ["b"]),
        ("upstream.extract.result.rows | groupby('name')", [["a", [ROWS[1]]], ["b", [ROWS[0]]]]),
        ("upstream.extract.result.rows | sum(attribute='size')", 7),
        ("params.list | select('ge', 2) | list", [3, 2]),
        ("params.list | map('string') | list", ["3", "1", "2"]),
        ("[1, 1, '1', true] | unique", [1, "1", True]),
        ("'ab' | reverse", "ba"),
        ("['a ', ' b'] | map('trim') | map('upper') | list", ["A", "B"]),
        ("'12' | int + '0.5' | float", 12.5),
        ("'x' | int(3)", 3),
        ("2.567 | round(1)", 2.6),
        ("{'b': 1} | tojson", '{"b":1}'),
        ("'a-b' | replace('-', '+')", "a+b"),
        ("'a,b'.split(',')", ["a", "b"]),
        ("'Ab'.lower() ~ 'c'.upper() ~ ' d '.strip()", "abCd"),
        ("interval.from | date", "2026-01-30"),
        ("interval.from | date('%d.%m.%Y', 'Europe/Berlin')", "31.01.2026"),
        ("'2026-03-29T01:00:00Z' | date('%H:%M %z', 'Europe/Berlin')", "03:00 +0200"),
        ("interval.to.isoformat()", "2026-01-31T23:00:00+00:00"),
        ("run.scheduled_at.year * 100 + run.scheduled_at.month", 202601),
        ("interval.from < interval.to", True),
        ('"it\'s; rm -rf /" | quote', "'it'\"'\"'s; rm -rf /'"),
    ],
)
def test_core_evaluate_knows_filters_and_methods(expression: str, value: Any) -> None:
    """Each filter and method there is does what its name says."""
    assert evaluate(expression, context()) == value


def test_core_render_parameters_walks_values_and_leaves_keys() -> None:
    """Templates are found at any depth; keys and other values stay as they are, and the given object unchanged."""
    given = {"a": {"{{ k }}": ["{{ params.items }}", 1.5, None]}, "b": "plain"}

    assert render_parameters(given, context()) == {"a": {"{{ k }}": [5, 1.5, None]}, "b": "plain"}
    assert given["b"] == "plain"
    assert given["a"] == {"{{ k }}": ["{{ params.items }}", 1.5, None]}


def test_core_render_parameters_makes_texts_where_only_texts_are_taken() -> None:
    """In parameters that consist of texts numbers become text: in lists, in objects, and as the whole."""
    parameters = {
        "command": ["n", "{{ params.items }}", "{{ params.list }}"],
        "env": {"N": "{{ params.items }}"},
        "whole": "{{ params.list }}",
        "other": "{{ params.items }}",
    }

    made = render_parameters(parameters, context(), texts={"command", "env", "whole"})

    assert made == {"command": ["n", "5", "[3,1,2]"], "env": {"N": "5"}, "whole": ["3", "1", "2"], "other": 5}


def test_core_render_parameters_knows_item_and_shard() -> None:
    """A run of a group knows its place and its item, also when the item is null."""
    shard = {"index": 1, "total": 4}

    assert rendered("{{ [item.id, shard.index, shard.total] }}", item={"id": 3}, shard=shard) == [3, 1, 4]
    assert rendered("{{ item }}", item=None) is None


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ params.dax }}", "params has no 'dax' (it has day, items, list, nested)."),
        ("{{ params.nested.deep[1].z }}", "params.nested.deep[1] has no 'z' (it has x)."),
        ("{{ params.list[7] }}", "params.list has 3 elements, and none at 7."),
        ("{{ params.day.x }}", "params.day is a text, which has no 'x'."),
        ("{{ [params.dax] }}", "params has no 'dax' (it has day, items, list, nested)."),
        ("{{ upstream.extrakt.result }}", "upstream has no 'extrakt' (it has extract, load-all)."),
        ("{{ parms.day }}", "there is no 'parms'. Did you mean params?"),
        ("{{ item }}", "item is what a run of a task with map_over is for; this task has none."),
        (
            "{{ shard.index }}",
            "shard belongs to the runs of a task with shards, map_over or broadcast; this task has none of them.",
        ),
        ("{{ params.day + 1 }}", "+ works on numbers, not on a text."),
        ("{{ params.day < 1 }}", "a text and a number have no order: compare numbers, texts or instants."),
        ("{{ params.day | uper }}", "there is no filter uper. Did you mean upper?"),
        ("{% for x in params.day %}{% endfor %}", "a list or an object can be gone through, not a text."),
        ("{{ interval.from | date('%Y', 'Berlin') }}", "there is no time zone 'Berlin'."),
    ],
)
def test_core_render_parameters_says_what_is_wrong(template: str, reason: str) -> None:
    """A template without a value names its parameter, itself and the reason."""
    with pytest.raises(TemplateError) as caught:
        render_parameters({"command": ["echo", template]}, context())

    assert caught.value.reason.startswith(reason.rstrip("."))
    assert caught.value.field == "command.1"
    assert str(caught.value) == f"command.1: {template!r} cannot be rendered: {caught.value.reason}"


def test_core_render_parameters_names_the_missing_interval() -> None:
    """A run that no slot has started has no interval, and says so; a template may ask for it first."""
    with pytest.raises(TemplateError, match="this run has no data interval: no slot of a schedule"):
        rendered("{{ interval.from }}", interval=None)
    assert rendered("{{ interval is defined }}", interval=None) is False


def test_core_render_parameters_does_not_render_what_it_finds() -> None:
    """Text that comes out of data is data: its braces are no template; a parameter that is one cannot be used."""
    found = {"extract": {"result": "{{ run.id }}"}}

    assert rendered("{{ upstream.extract.result }}", upstream=found) == "{{ run.id }}"
    with pytest.raises(TemplateError, match=r"params\.x is a template itself"):
        rendered("{{ params.x }}", params={"x": "{{ run.id }}"})


def test_core_render_parameters_explains_foreign_braces() -> None:
    """Braces of another language are told how to stay as they are."""
    with pytest.raises(TemplateError, match=r"stand between \{% raw %\} and \{% endraw %\}"):
        rendered("docker ps --format '{{.Names}}'")


@pytest.mark.parametrize(("expression", "reason"), [("{{ run.id }}", "stands by itself"), ("1 2", "something follows")])
def test_core_evaluate_takes_one_bare_expression(expression: str, reason: str) -> None:
    """An expression has no braces, and nothing after it."""
    with pytest.raises(TemplateError, match=reason):
        evaluate(expression, context())


def test_core_has_templates_looks_everywhere() -> None:
    """Templates count at any depth, in values only."""
    assert has_templates({"a": [{"b": "{% if x %}"}]})
    assert not has_templates({"{{ a }}": ["${#a}", "{#", 1, None]})


def test_core_needs_upstream_never_misses_one() -> None:
    """It is true where a template names upstream, and false where only plain text does."""
    assert needs_upstream({"a": {"b": "{{ upstream['x'].result }}"}})
    assert not needs_upstream({"a": "upstream", "b": "{{ run.id }}"})


def test_core_upstream_context_has_results_for_groups_only() -> None:
    """A run that is no group has no results."""
    known = upstream_context(INPUTS)

    assert known["extract"] == {"result": {"rows": ROWS, "note": "it's"}, "status": "COMPLETED", "run_id": 7}
    assert known["load-all"]["results"] == [{"n": 1}, None, {"n": 3}]
