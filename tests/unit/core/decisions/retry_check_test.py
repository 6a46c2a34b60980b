"""Which retry policies are accepted."""

import math
from typing import Any

import pytest

from scheduler_core.decisions.retry_check import check_retry
from scheduler_core.models import RetryPolicy


def test_core_unit_check_retry_accepts_a_full_policy() -> None:
    """Delays and every kind of condition together are right."""
    policy = RetryPolicy(
        delays=(1, 60),
        on_exit_codes=(75, -9),
        on_statuses=(503,),
        on_exceptions=("TimeoutError", "psycopg.errors.DeadlockDetected"),
        on_output=("connection reset",),
    )
    assert list(check_retry(policy)) == []


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"delays": (5, -1)}, "delays", "not -1"),
        ({"delays": (math.nan,)}, "delays", "not nan"),
        ({"delays": (7200,)}, "delays", "above max_delay_seconds 3600"),
        ({"delays": (1,) * 101}, "delays", "101 entries"),
        ({"on_exit_codes": (0,)}, "on_exit_codes", "has 0"),
        ({"on_exit_codes": (256,)}, "on_exit_codes", "has 256"),
        ({"on_statuses": (99,)}, "on_statuses", "has 99"),
        ({"on_exceptions": ("no class",)}, "on_exceptions", "'no class'"),
        ({"on_output": ("ok", "(")}, "on_output", "the pattern '(' is no regular expression"),
        ({"on_output": (".{0,50}a",) * 5}, "on_output", "patterns together have 510 elements"),
        ({"jitter": 1.5}, "jitter", "not 1.5"),
        ({"delay_seconds": 20, "max_delay_seconds": 10}, "delay_seconds", "above max_delay_seconds 10"),
    ],
)
def test_core_unit_check_retry_names_field_and_value(changes: dict[str, Any], field: str, words: str) -> None:
    """Each problem is told of its own field, with the value."""
    (problem,) = check_retry(RetryPolicy(**changes))
    assert (problem.field, words in problem.message) == (f"retry.{field}", True)
