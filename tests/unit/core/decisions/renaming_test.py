"""What becomes of those who name a task that gets another name."""

import pytest

from scheduler_core.decisions.renaming import renamed
from scheduler_core.errors import TemplateError
from scheduler_core.models import Dependency, TaskDefinition


def test_renamed_follows_into_everything_that_names_a_task() -> None:
    """Dependencies of both kinds, sub-flow, expressions and templates say the new name, and nothing else changes."""
    before = TaskDefinition(
        name="report",
        task_type="shell",
        dependencies=("old", "older", Dependency("old", "same", deadline=5), Dependency("older", "latest")),
        sub_flow="old",
        when="upstream.old.result.n > 0 and upstream.older.status == 'COMPLETED'",
        map_over="upstream['old'].result",
        parameters={"command": ["old", "{{ upstream.old.result }} of upstream.old"], "env": {"old": "{{ item.old }}"}},
    )
    after = renamed(before, "old", "new")
    assert after.dependencies == (
        "new",
        "older",
        Dependency("new", "same", deadline=5),
        Dependency("older", "latest"),
    )
    assert after.sub_flow == "new"
    assert after.when == "upstream.new.result.n > 0 and upstream.older.status == 'COMPLETED'"
    assert after.map_over == "upstream.new.result"
    assert after.parameters == {
        "command": ["old", "{{ upstream.new.result }} of upstream.old"],
        "env": {"old": "{{ item.old }}"},
    }
    assert renamed(after, "other", "x") == after


@pytest.mark.parametrize(
    ("old", "expression", "new", "expected"),
    [
        ("a", "upstream.a", "my task", 'upstream["my task"]'),
        ("my-task", "upstream['my-task'].result", "b", "upstream.b.result"),
        ("my-task", 'upstream["my-task"].result', 'a "b"', r'upstream["a \"b\""].result'),
        ("a", "upstream.ab + upstream.a.result", "c", "upstream.ab + upstream.c.result"),
        ("a", "params.upstream.a", "c", "params.upstream.a"),
        ("a.b", "upstream['a.b'] ~ upstream['axb']", "c", "upstream.c ~ upstream['axb']"),
    ],
)
def test_renamed_writes_names_as_expressions_have_them(old: str, expression: str, new: str, expected: str) -> None:
    """A name that cannot follow a dot is written in brackets; names that only look alike stay."""
    definition = TaskDefinition(name="x", task_type="shell", when=expression)
    assert renamed(definition, old, new).when == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ '}}' ~ upstream.a.result }}", "{{ '}}' ~ upstream.new.result }}"),
        ("{% raw %}{{ upstream.a }}{% endraw %}{{ upstream.a.status }}", None),
        (
            "{{ 'upstream.a' ~ upstream . a . status }} upstream.a",
            "{{ 'upstream.a' ~ upstream.new . status }} upstream.a",
        ),
        (
            "{%- if upstream['a'].status -%}\r\n  x\r\n{%- endif %}",
            "{%- if upstream.new.status -%}\r\n  x\r\n{%- endif %}",
        ),
        ("{{ upstream [ 'a' ].result }}\n", "{{ upstream.new.result }}\n"),
        (r"{{ upstream['\x61'].result }}", "{{ upstream.new.result }}"),
        ("${#list[@]} {# {{ upstream.a.status }} #}", "${#list[@]} {# {{ upstream.new.status }} #}"),
        ("{{ upstream['b'].a }}{{ params.upstream.a }}", "{{ upstream['b'].a }}{{ params.upstream.a }}"),
        ("{{ upstream.a", "{{ upstream.a"),
    ],
)
def test_renamed_follows_where_a_template_means_the_task(template: str, expected: str | None) -> None:
    """Texts in quotes, raw parts and what cannot be read stay, and so does everything around a name."""
    if expected is None:
        expected = "{% raw %}{{ upstream.a }}{% endraw %}{{ upstream.new.status }}"
    definition = TaskDefinition(name="x", task_type="shell", parameters={"command": [template]})

    assert renamed(definition, "a", "new").parameters == {"command": [expected]}


@pytest.mark.parametrize(
    ("when", "new"),
    [("(upstream).a.result", "b"), ("upstream['a' 'b'].result or upstream.ab", "x"), ("upstream.a.result", "{{x")],
)
def test_renamed_says_what_it_cannot_follow(when: str, new: str) -> None:
    """A definition that would go on to mean the old name is refused."""
    old = "ab" if "'b'" in when else "a"
    with pytest.raises(TemplateError, match="cannot stand there"):
        renamed(TaskDefinition(name="x", task_type="shell", when=when), old, new)
