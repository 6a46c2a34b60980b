"""Parameters as templates, and expressions of flows: what they may know, and what comes of them.

jinja2 is loaded when the first template is looked at, and not before.
"""

from collections.abc import Collection, Mapping
from typing import Any

from scheduler_core.decisions.templating.context import TemplateContext
from scheduler_core.decisions.templating.markers import template_texts
from scheduler_core.errors import Problem, TemplateError
from scheduler_core.models import RunInputs, TaskDefinition


def upstream_context(inputs: RunInputs) -> dict[str, dict[str, Any]]:
    """The runs upstream of a run, as templates know them; raises TemplateError when there is too much of it."""
    if inputs.bytes_refused is not None:
        raise TemplateError(
            "upstream",
            f"the results of the runs upstream have {inputs.bytes_refused:,} bytes as JSON in all, more than can be "
            "handed on. Store them elsewhere and return references",
        )
    found = {}
    for run in inputs.upstream:
        known: dict[str, Any] = {"result": run.result, "status": run.status.value, "run_id": run.run_id}
        if run.results is not None:
            known["results"] = list(run.results)
        found[run.task_name] = known
    return found


def has_templates(parameters: Mapping[str, Any]) -> bool:
    """Whether any value, however deep, is a template."""
    return next(template_texts(parameters), None) is not None


def needs_upstream(parameters: Mapping[str, Any]) -> bool:
    """Whether a template may ask for the runs upstream; True too often, never too seldom."""
    return any("upstream" in text for _, text in template_texts(parameters))


def render_parameters(
    parameters: Mapping[str, Any], context: TemplateContext, texts: Collection[str] = ()
) -> dict[str, Any]:
    """The parameters with all templates replaced by what they give; all other values are passed on as they are.

    A value that is one `{{ … }}` and nothing else becomes the value of that expression, of whatever kind; any other
    template becomes text. In the parameters `texts` whatever an expression gives becomes text: as the whole parameter,
    as each element of a list, and as each value of an object. Raises TemplateError, which names the parameter's path,
    the template and the reason.
    """
    from scheduler_core.decisions.templating.rendering import Rendering

    return Rendering(context).parameters(parameters, texts)


def evaluate(expression: str, context: TemplateContext) -> Any:
    """The value of an expression, as JSON; raises TemplateError."""
    from scheduler_core.decisions.templating.rendering import Rendering

    return Rendering(context).expression(expression)


def template_problems(definition: TaskDefinition) -> list[Problem]:
    """Everything that is wrong with the templates and expressions of a definition, as far as it is certain."""
    expressions = (definition.when, definition.map_over, *key_expressions(definition).values())
    if not any(isinstance(each, str) for each in expressions) and not has_templates(definition.parameters):
        return []
    from scheduler_core.decisions.templating.check import definition_problems

    return definition_problems(definition)


def key_expressions(definition: TaskDefinition) -> dict[str, str | None]:
    """The expressions by which runs are dispatched, by their fields; None for those that are not there."""
    weight, unique = definition.fairness_weight, definition.unique
    return {
        "hash_key": definition.hash_key,
        "fairness_key": definition.fairness_key,
        "fairness_weight": weight if isinstance(weight, str) else None,
        "unique.key": None if unique is None else unique.key,
    }


def limit_key_problems(expression: str) -> list[Problem]:
    """Everything that is certainly wrong with the key of a limit, whose tasks are not known yet."""
    from scheduler_core.decisions.templating.key_check import limit_problems

    return limit_problems(expression)


__all__ = [
    "TemplateContext",
    "TemplateError",
    "evaluate",
    "has_templates",
    "key_expressions",
    "limit_key_problems",
    "needs_upstream",
    "render_parameters",
    "template_problems",
    "upstream_context",
]
