"""Parameters of the built-in task types, as executors report them."""

from collections.abc import Mapping
from typing import Any

from scheduler_core.decisions.parameter_rules import check_parameters


def parameter_problems(task_type: str, parameters: Mapping[str, Any]) -> list[str]:
    """Problems as sentences beginning with the parameter's name; empty when there are none."""
    return [
        f"{problem.field.removeprefix('parameters.')}: {problem.message}"
        for problem in check_parameters(task_type, parameters)
    ]
