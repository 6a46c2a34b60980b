"""Which time-outs are accepted."""

import math
from typing import Any

import pytest

from fixtures.factories import build_definition
from scheduler_core.decisions.timeout_check import check_timeouts


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"timeout_seconds": None, "soft_timeout_seconds": 604_800},
        {"soft_timeout_seconds": 10, "queue_timeout_seconds": 0.5, "total_timeout_seconds": 100},
        {"total_timeout_seconds": 20, "timeout_seconds": 60},
    ],
)
def test_core_unit_check_timeouts_accepts(changes: dict[str, Any]) -> None:
    """None is no limit, and all attempts together may have less time than one could take alone."""
    assert list(check_timeouts(build_definition(**changes))) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"soft_timeout_seconds": 300}, "soft_timeout_seconds"),
        ({"soft_timeout_seconds": 60, "total_timeout_seconds": 60}, "soft_timeout_seconds"),
        ({"queue_timeout_seconds": -1}, "queue_timeout_seconds"),
        ({"queue_timeout_seconds": math.nan}, "queue_timeout_seconds"),
        ({"total_timeout_seconds": 1e9}, "total_timeout_seconds"),
    ],
)
def test_core_unit_check_timeouts_names_the_field(changes: dict[str, Any], field: str) -> None:
    """What is out of its range, or would never come, is told of its field with the value."""
    (problem,) = check_timeouts(build_definition(**changes))
    assert problem.field == field
    assert f"{changes[field]:g}" in problem.message
