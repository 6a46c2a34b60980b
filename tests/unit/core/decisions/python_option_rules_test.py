"""Options of python tasks."""

from typing import Any

import pytest

from scheduler_core.decisions.parameter_rules import check_parameters


@pytest.mark.parametrize(
    "options",
    [
        {"isolation": "process", "caps": {"memory": "512MB"}},
        {"isolation": "thread"},
        {"isolation": "async", "caps": None},
        {"isolation": None, "caps": {"memory": 128 * 1024**2}},
        {"caps": {}},
    ],
)
def test_core_unit_python_options_are_accepted(options: dict[str, Any]) -> None:
    """Every documented form is accepted."""
    assert check_parameters("python", {"callable": "m:f", **options}) == []


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        ({"isolation": "threads"}, "isolation", "'threads' is no isolation. Use process, thread, async"),
        ({"isolation": "threads"}, "isolation", "Did you mean thread?"),
        ({"isolation": 1}, "isolation", "1 is no isolation"),
        ({"caps": "512MB"}, "caps", "caps is an object"),
        ({"caps": {"cpu": 1}}, "caps", "caps of a python task has no 'cpu'"),
        ({"caps": {"memory": "much"}}, "caps", "caps.memory cannot be used: 'much' is no size"),
        ({"caps": {"memory": True}}, "caps", "caps.memory is True"),
        ({"caps": {"memory": "1MB"}}, "caps", "Give 64MB or more"),
        ({"caps": {"memory": "99999999PB"}}, "caps", "caps.memory is '99999999PB'"),
        ({"isolation": "thread", "caps": {"memory": "1GB"}}, "caps", "isolation is thread"),
    ],
)
def test_core_unit_python_options_are_refused_with_a_remedy(options: dict[str, Any], field: str, words: str) -> None:
    """A refusal names the parameter, the value and what to write."""
    (problem,) = check_parameters("python", {"callable": "m:f", **options})

    assert problem.field == f"parameters.{field}"
    assert words in problem.message
