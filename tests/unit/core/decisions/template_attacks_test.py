"""Templates that are up to no good: they end soon, with a reason, and get at nothing but data."""

import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest

from scheduler_core.decisions.templates import TemplateContext, evaluate, render_parameters, template_problems
from scheduler_core.decisions.templating import budget as template_budget
from scheduler_core.decisions.templating import check
from scheduler_core.errors import TemplateError
from scheduler_core.models import TaskDefinition

TEXT = "a" * 1_000_000
NUMBERS = list(range(200_000))


def _deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(900):
        value = [value]
    return value


CONTEXT = TemplateContext(
    params={"text": TEXT, "big": NUMBERS, "other": [*NUMBERS[:-1], 0], "n": 2**63 - 1, "d": {"a": 1}, "deep": _deep()},
    upstream={},
    run={"id": 1, "scheduled_at": datetime(2026, 1, 1, tzinfo=UTC)},
)


def _many(part: str, count: int) -> str:
    return "{{ [" + ",".join([part] * count) + "] | length }}"


SHARED = (
    "{% for a in [[1,1,1,1,1,1,1,1,1,1]] %}"
    + "".join(f"{{% for a{n} in [[{','.join([f'a{n - 1}' if n else 'a'] * 10)}]] %}}" for n in range(8))
    + "{{ WHAT }}"
    + "{% endfor %}" * 9
)

LARGE = {
    "text times number": ("{{ 'a' * 1000000000 }}", "works on numbers"),
    "list times number": ("{{ [1] * 1000000000 }}", "works on numbers"),
    "format with width": ("{{ '%999999999d' % 1 }}", "works on numbers"),
    "format in a test": ("{{ '%999999999d' is odd }}", "only a number can be divided"),
    "divisible by": ("{{ '%999999999d' is divisibleby(7) }}", "only a number can be divided"),
    "power": ("{{ 9 ** 9 ** 9 }}", r"\*\* is not allowed"),
    "product": ("{{ params.n * params.n }}", "more than 64 bits"),
    "sum": ("{{ params.n + params.n }}", "more than 64 bits"),
    "literal": ("{{ " + "9" * 4000 + " }}", "more than 64 bits"),
    "float": ("{{ 1e308 * 10 }}", "too large"),
    "digits": ("{{ " + "9" * 60_000 + " }}", "more than 64 bits"),
    "text to number": ("{{ params.text | int }}", "no whole number"),
    "replace": ("{{ params.text | replace('a', params.text) }}", "more than 1048576 characters"),
    "replace nothing": ("{{ params.text | replace('', params.text) }}", "more than 1048576 characters"),
    "join": ("{{ params.big | join(params.text) }}", "more than 16777216 characters"),
    "concatenation": ("{{ params.text ~ params.text }}", "more than 1048576 characters"),
    "output": ("{% for i in range(9000) %}{{ params.text }}{% endfor %}", "more than 1048576 characters"),
    "quote": ("{{ (params.text | replace('a', \"'\")) | quote }}", "more than 1048576 characters"),
    "date with width": ("{{ run.scheduled_at | date('%999999999d') }}", "plain codes of strftime"),
    "strftime with width": ("{{ run.scheduled_at.strftime('%999999999Y') }}", "plain codes of strftime"),
    "range": ("{{ range(1000000000) }}", "at most 10000 numbers"),
    "lists": (_many("params.big|list", 400), "more than 16777216"),
    "texts": (_many("params.text|upper", 400), "more than 16777216"),
    "parts": (_many("params.text[1:]", 400), "more than 16777216"),
    "shared as JSON": (SHARED.replace("WHAT", "a7"), "more than 1"),
    "shared as text": (SHARED.replace("WHAT", "a7|tojson"), "more than 1"),
}

SLOW = {
    "nested loops": ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "10000 steps"),
    "shared compared": (SHARED.replace("WHAT", "[a7] == [a7]"), "more than 1"),
    "list in lists": ("{{ params.big in [" + ",".join(["params.other"] * 1000) + "] }}", "more than 1"),
    "many calls": ("{{ params.big | map('string') | list | length }}", "10000 steps"),
    "sort": ("{{ params.big | sort | length }}", "10000 steps"),
    "sort of long texts": ("{{ [params.text, params.text] | sort }}", "too long to sort"),
    "deep value": ("{{ params.deep }}", "nested more than 200 deep"),
    "deep value compared": ("{{ params.deep == [params.deep] }}", "nested too deeply"),
    "deep brackets": ("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "nested too deeply"),
    "deep list": ("{{ " + "[" * 100 + "]" * 100 + " }}", "nested (too deeply|more than 60 deep)"),
    "deep sum": ("{{ 1" + "+1" * 500 + " }}", "nested more than 60 deep"),
    "deep blocks": ("{% if true %}" * 100 + "{% endif %}" * 100, "nested more than 60 deep"),
    "many parts": (_many("1", 6000), "more than 5000 parts"),
    "long source": ("{{ 1 }}" + "x" * 70_000, "at most 65536"),
}

ESCAPES = {
    "class": ("{{ ''.__class__.__mro__ }}", "__ are not allowed"),
    "class by key": ("{{ params['__class__'] }}", "__ are not allowed"),
    "class by a made key": ("{{ params['__cla' ~ 'ss__'] }}", "has no '__class__'"),
    "class of a text by a made key": ("{{ params.text['__cla' ~ 'ss__'] }}", "is a text, which has no"),
    "class of an attribute": ("{{ [params.d] | map(attribute='__class__') | list }}", "has no '__class__'"),
    "globals": ("{{ params.d.get.__globals__ }}", "__ are not allowed"),
    "attr": ("{{ params | attr('keys') }}", "no filter attr"),
    "format": ("{{ '{0.__class__}'.format(1) }}", "no method format"),
    "format_map": ("{{ '{a}'.format_map(params) }}", "no method format_map"),
    "method as a value": ("{{ params.d.keys }}", "has no 'keys'"),
    "update": ("{{ params.d.update({'a': 2}) }}", "no method update"),
    "append": ("{{ params.big.append(1) }}", "no method append"),
    "undefined global": ("{{ lipsum() }}", "no function lipsum"),
    "cycler": ("{{ cycler.__init__ }}", "__ are not allowed"),
    "namespace": ("{{ namespace(a=1) }}", "no function namespace"),
    "self": ("{{ self }}", "no 'self'"),
    "loop": ("{% for a in [1] %}{{ loop }}{% endfor %}", "no value that a parameter can have"),
    "loop's insides": ("{% for a in [1] %}{{ loop._iterator }}{% endfor %}", "has no '_iterator'"),
    "recursive loop": ("{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}", "recursive"),
    "shadowed name": ("{% for params in [1] %}{{ params }}{% endfor %}", "Use another name"),
    "full-width name": ("{% for ｐarams in [1] %}{{ params }}{% endfor %}", "plain letters"),
    "inner filter by map": ("{{ [1] | map(' element') | list }}", "map takes"),
    "inner test by select": ("{{ [1] | select(' x') | list }}", "no test"),
    "spread arguments": ("{{ range(*params.big) }}", "plain arguments"),
    "keyword to a method": ("{{ 'a'.split(sep='a') }}", "plain arguments"),
    "object with other keys": ("{{ {(1, 2): 3} }}", "texts in quotes"),
    **{
        f"statement {word}": (text, r"\{% " + word)
        for word, text in {
            "set": "{% set a = 1 %}",
            "macro": "{% macro m() %}{% endmacro %}",
            "include": "{% include 'x' %}",
            "import": "{% import 'x' as y %}",
            "from": "{% from 'x' import y %}",
            "extends": "{% extends 'x' %}",
            "block": "{% block a %}{% endblock %}",
            "call": "{% call range() %}{% endcall %}",
            "filter": "{% filter upper %}a{% endfilter %}",
            "with": "{% with a = 1 %}{% endwith %}",
            "autoescape": "{% autoescape true %}{% endautoescape %}",
        }.items()
    },
}


@pytest.mark.parametrize("name", LARGE)
def test_core_templates_make_nothing_large(name: str) -> None:
    """What would fill the memory is refused before it is made."""
    template, reason = LARGE[name]
    tracemalloc.start()
    try:
        with pytest.raises(TemplateError, match=reason):
            render_parameters({"p": template}, CONTEXT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 300 * 1024 * 1024


@pytest.mark.parametrize("name", SLOW)
def test_core_templates_end_soon(name: str) -> None:
    """What would take long is cut short by a limit; without one these would outlast the time-out of the test."""
    template, reason = SLOW[name]
    with pytest.raises(TemplateError, match=reason):
        render_parameters({"p": template}, CONTEXT)


@pytest.mark.parametrize("name", ESCAPES)
def test_core_templates_see_data_only(name: str) -> None:
    """No template gets at Python's insides, calls what is not listed, or uses a statement that is not."""
    template, reason = ESCAPES[name]
    with pytest.raises(TemplateError, match=reason):
        render_parameters({"p": template}, CONTEXT)


def test_core_templates_change_nothing_that_they_are_given() -> None:
    """Values come out as copies: who changes a rendered parameter does not change a result."""
    rows = [{"a": 1}]
    made = render_parameters({"p": "{{ params.rows }}"}, TemplateContext(params={"rows": rows}, upstream={}, run={}))

    made["p"][0]["a"] = 2
    assert rows == [{"a": 1}]


def test_core_templates_share_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of all parameters of a run count together, and each rendering begins anew."""
    monkeypatch.setattr(template_budget, "STEPS_MAX", 30)
    parameters = {str(number): "{{ 1 + 1 }}" for number in range(20)}

    with pytest.raises(TemplateError, match="more than 30 steps"):
        render_parameters(parameters, CONTEXT)
    assert render_parameters({"a": "{{ 1 + 1 }}"}, CONTEXT) == {"a": 2}


def test_core_templates_are_bounded_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is looked at by each step."""
    monkeypatch.setattr(template_budget, "SECONDS_MAX", -1.0)
    with pytest.raises(TemplateError, match="it takes more than -1 s"):
        evaluate("1 + 1", CONTEXT)


@pytest.mark.parametrize("escape", [r"\x00", r"\ud800", r"\udfff a"])
@pytest.mark.parametrize(
    "expression",
    ["'E'", "['E']", "{'E': 1}", "{'a': ['E']}", "'E' ~ 'b'", "params['E']", "upstream['E'].result", "{'E': 1}.a"],
)
def test_core_templates_refuse_texts_that_cannot_be_stored(expression: str, escape: str) -> None:
    """Escapes for NUL and for half a character are refused when a task is defined, in words that can be stored."""
    written = expression.replace("E", escape)
    found = template_problems(
        TaskDefinition(name="t", task_type="x", when=f"params.a == {written}", parameters={"a": f"{{{{ {written} }}}}"})
    )

    assert {problem.field for problem in found} == {"when", "parameters.a"}
    for problem in found:
        assert "\0" not in problem.message
        problem.message.encode()
    with pytest.raises(TemplateError) as failed:
        evaluate(written, TemplateContext(params={}, upstream={}, run={}))
    assert "\0" not in str(failed.value)
    str(failed.value).encode()


@pytest.mark.parametrize("value", ["a\0", "\ud800", {"\0": 1}, ["\ud800"], {"a": {"\ud800": 1}}])
@pytest.mark.parametrize("template", ["{{ params.v }}", "x{{ params.v }}", "{{ params.v | tojson }}"])
def test_core_templates_give_nothing_that_cannot_be_stored(value: object, template: str) -> None:
    """Whatever comes in, no value goes out that the database would refuse, keys of objects included."""
    with pytest.raises(TemplateError, match="cannot be stored"):
        render_parameters({"p": template}, TemplateContext(params={"v": value}, upstream={}, run={}))


@pytest.mark.parametrize(
    "text",
    ["params" + ".a" * 1200, "params" + ".a" * 30_000, "1**" * 20_000 + "1", "9" * 5000, "(" * 5000, "-" * 5000 + "1"],
    ids=["deep", "deeper", "powers", "digits", "brackets", "signs"],
)
def test_core_template_problems_survives_what_cannot_be_gone_through(text: str) -> None:
    """Trees of any depth and numbers of any length are problems of their fields and no failures."""
    found = template_problems(
        TaskDefinition(name="t", task_type="x", when=text[:10_000], map_over=text, parameters={"a": f"{{{{{text}}}}}"})
    )

    assert {problem.field for problem in found} == {"when", "map_over", "parameters.a"}


def test_core_template_problems_has_an_end() -> None:
    """Of one definition at most 1,000 templates are judged and 50 problems told."""
    many = template_problems(TaskDefinition(name="t", task_type="x", parameters={"a": ["{{ 1 }}"] * 1001}))
    bad = template_problems(TaskDefinition(name="t", task_type="x", parameters={"a": ["{{ nope }}"] * 1000}))

    assert [problem.field for problem in many] == ["parameters"]
    assert many[0].message.startswith("The parameters hold more than 1000 templates.")
    assert template_problems(TaskDefinition(name="t", task_type="x", parameters={"a": ["{{ 1 }}"] * 1000})) == []
    assert len(bad) == 50


def test_core_template_problems_takes_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates of one definition that cannot be judged in time are refused."""
    monkeypatch.setattr(check, "SECONDS_MAX", 0.0)

    (problem,) = template_problems(TaskDefinition(name="t", task_type="x", parameters={"a": ["{{ 1 }}"] * 100}))

    assert problem.message.startswith("It takes more than 0 s to judge the templates.")


def test_core_templates_nest_loops_as_deep_as_the_interpreter_does() -> None:
    """Fifteen loops in each other are rendered; more are refused in words."""
    most = "{% for a in [1] %}" * 15 + "x" + "{% endfor %}" * 15
    more = "{% for a in [1] %}" + most + "{% endfor %}"

    assert template_problems(TaskDefinition(name="t", task_type="x", parameters={"a": most})) == []
    assert render_parameters({"a": most}, TemplateContext(params={}, upstream={}, run={})) == {"a": "x"}
    (problem,) = template_problems(TaskDefinition(name="t", task_type="x", parameters={"a": more}))
    assert problem.message == "loops are nested more than 15 deep. Write them flatter."
