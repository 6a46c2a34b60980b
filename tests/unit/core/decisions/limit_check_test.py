"""Which limits can be accepted, and rates as people write them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.decisions.limit_check import check_limit
from scheduler_core.decisions.rate_text import parse_rate, rate_text
from scheduler_core.models import LimitDefinition


def limit(**fields: Any) -> LimitDefinition:
    """A limit that is fine but for these fields."""
    return LimitDefinition(**{"name": "a", "concurrent": 1, **fields})


@pytest.mark.parametrize(
    "definition",
    [
        limit(),
        limit(concurrent=2**31 - 1),
        limit(concurrent=None, rate=1),
        limit(rate=2**31 - 1, rate_seconds=0.001, burst=1),
        limit(rate=1, rate_seconds=366 * 86_400.0, burst=2**31 - 1),
        limit(key="params.customer"),
        limit(key="params.get('customer', 'nobody') ~ '/' ~ run.task"),
        limit(key="item.region"),
        limit(key="run.flow_id"),
        limit(name="customer-api.v2", namespace="n", description="x" * 10_000),
    ],
)
def test_check_limit_accepts(definition: LimitDefinition) -> None:
    """Numbers at their limits, and keys of whatever a run may have."""
    assert check_limit(definition) == []


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"rate": 1, "rate_seconds": float("nan")}, "rate_seconds", "not nan"),
        ({"rate": 1, "rate_seconds": float("inf")}, "rate_seconds", "not inf"),
        ({"rate": 1, "rate_seconds": 0.0}, "rate", "not 0"),
        ({"rate": -3}, "rate", "not -3"),
        ({"key": "interval.to"}, "key", "interval is not known"),
        ({"key": "run.id"}, "key", "another one in every run"),
        ({"key": "range(3)"}, "key", "same for every run"),
    ],
)
def test_check_limit_refuses(fields: dict[str, Any], field: str, told: str) -> None:
    """What the API's own tests do not send."""
    problems = {problem.field: problem.message for problem in check_limit(limit(**fields))}
    assert told in problems[field]


@given(
    st.builds(
        LimitDefinition,
        name=st.text(max_size=110),
        namespace=st.text(max_size=5),
        key=st.none() | st.text(max_size=30),
        concurrent=st.none() | st.integers(),
        rate=st.none() | st.integers(),
        rate_seconds=st.floats(),
        burst=st.none() | st.integers(),
    )
)
def test_check_limit_judges_whatever_is_given(definition: LimitDefinition) -> None:
    """Nothing that comes in is too strange to be judged; what passes is what the table takes."""
    problems = check_limit(definition)
    assert {problem.field for problem in problems} <= set(LimitDefinition.__struct_fields__)
    if not problems:
        assert definition.concurrent is not None or definition.rate is not None
        numbers = (definition.concurrent, definition.rate, definition.burst)
        assert all(number is None or 1 <= number < 2**31 for number in numbers)


@given(st.integers(0, 10**12 - 1), st.integers(1, 10**9 - 1))
def test_rate_text_and_parse_rate_are_inverse(count: int, seconds: int) -> None:
    """What is written is read again as it was."""
    assert parse_rate(rate_text(count, float(seconds))) == (count, float(seconds))


@pytest.mark.parametrize("text", ["", "100", "/min", "x/min", "1.5/s", "-1/s", "1/x", "1/", "1/s/s", "١/s", "1/min\0"])
def test_parse_rate_refuses(text: str) -> None:
    """What is no rate is told how to write one."""
    with pytest.raises(ValueError, match="100/min"):
        parse_rate(text)


@pytest.mark.parametrize("unit", ["s", "sec", "second", "S", " s "])
def test_parse_rate_takes_words(unit: str) -> None:
    """A unit may be written out, and with spaces around."""
    assert parse_rate(f" 5 /{unit}") == (5, 1.0)
