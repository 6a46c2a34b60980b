"""Parameters against the JSON Schema of their task."""

from typing import Any

from scheduler_core.decisions.parameter_rules import parameter_names, unknown_parameter
from scheduler_core.errors import Problem
from scheduler_core.models import TaskDefinition


def definition_schema_problems(definition: TaskDefinition) -> list[Problem]:
    """What is wrong with a definition's schema, or with its parameters by it.

    A task that only runs when it is triggered may leave parameters to the trigger: what the schema requires is not
    missing yet.
    """
    schema = definition.parameters_schema
    if schema is None:
        return []
    # The library is loaded only for those who have a schema.
    from scheduler_api.parameter_schema import schema_problems

    if problems := schema_problems(schema) or _impossible(definition.task_type, schema):
        return problems
    if definition.schedule is None and not definition.dependencies:
        schema = {name: value for name, value in schema.items() if name != "required"}
    return run_schema_problems(schema, definition.parameters)


def _impossible(task_type: str, schema: dict[str, Any]) -> list[Problem]:
    """Parameters that the schema requires and that no task of this type may have."""
    known = parameter_names(task_type)
    return [
        Problem(
            "parameters_schema.required", f"{name[:100]!r} can never be given. {unknown_parameter(task_type, name)}"
        )
        for name in schema.get("required", ())
        if known is not None and name not in known
    ]


def run_schema_problems(schema: dict[str, Any] | None, parameters: dict[str, Any]) -> list[Problem]:
    """What is wrong, by a task's schema, with the parameters that a run will have."""
    if schema is None:
        return []
    from scheduler_api.parameter_schema import parameter_problems

    return parameter_problems(schema, parameters)
