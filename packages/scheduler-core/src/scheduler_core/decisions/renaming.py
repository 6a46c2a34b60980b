"""What the definitions of other tasks become when a task gets another name."""

from typing import Any

import msgspec

from scheduler_core.decisions.templating.markers import is_template
from scheduler_core.models import TaskDefinition


def renamed(definition: TaskDefinition, old: str, new: str) -> TaskDefinition:
    """The definition with the task `old` called `new`: in dependencies, sub-flow, expressions and templates.

    Raises TemplateError when a template names the task in a way that is not followed, such as (upstream).a.

    >>> before = TaskDefinition(name="b", task_type="x", dependencies=("a",), when="upstream.a.result > 1")
    >>> renamed(before, "a", "new").when
    'upstream.new.result > 1'
    """
    return msgspec.structs.replace(
        definition,
        dependencies=tuple(
            (new if each == old else each)
            if isinstance(each, str)
            else (msgspec.structs.replace(each, task=new) if each.task == old else each)
            for each in definition.dependencies
        ),
        sub_flow=new if definition.sub_flow == old else definition.sub_flow,
        when=_in_expression(definition.when, old, new),
        map_over=_in_expression(definition.map_over, old, new),
        parameters={key: _in_value(value, old, new) for key, value in definition.parameters.items()},
    )


def _in_expression(expression: str | None, old: str, new: str) -> str | None:
    if expression is None or "upstream" not in expression:
        return expression
    return _with_new_name(expression, old, new, is_expression=True)


def _in_value(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        is_concerned = is_template(value) and "upstream" in value
        return _with_new_name(value, old, new, is_expression=False) if is_concerned else value
    if isinstance(value, dict):
        return {key: _in_value(each, old, new) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_in_value(each, old, new) for each in value]
    return value


def _with_new_name(source: str, old: str, new: str, *, is_expression: bool) -> str:
    # jinja2 is loaded only for those who name others in templates.
    from scheduler_core.decisions.templating.renames import with_new_name

    return with_new_name(source, old, new, is_expression=is_expression)
