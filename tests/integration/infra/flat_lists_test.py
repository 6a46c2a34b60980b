"""Lists arrive in the database as they are."""

from datetime import UTC, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler_infra.database.flat_lists import FlatListDumper

_SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_KINDS: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "float8": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "timestamptz": st.datetimes(timezones=st.just(UTC)),
}


@pytest.fixture
def connection(database_url: str) -> Any:
    """A connection that writes lists as the store's connections do."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.adapters.register_dumper(list, FlatListDumper)
        connection.execute("SET timezone = 'UTC'")
        yield connection


@pytest.mark.parametrize("kind", _KINDS)
def test_infra_integration_lists_come_back_as_they_were_sent(connection: Any, kind: str) -> None:
    """Whatever a list of texts, numbers, booleans or instants holds, with and without None, empty or not."""

    @_SETTINGS
    @given(st.lists(st.none() | _KINDS[kind], max_size=6))
    def holds(values: list[Any]) -> None:
        found = connection.execute(f"SELECT %s::{kind}[]", (values,)).fetchone()[0]
        assert found == values

    holds()


@pytest.mark.parametrize(
    "texts",
    [["NULL"], ["null", None], [""], ['"'], ["\\"], ['\\"', "{a,b}"], [" x "], ["a\nb", "\u2028"], ['{"a": "\\n"}']],
)
def test_infra_integration_texts_that_mean_something_in_arrays_come_back(connection: Any, texts: list[Any]) -> None:
    """What PostgreSQL reads as syntax when it is not quoted arrives as text."""
    assert connection.execute("SELECT %s::text[]", (texts,)).fetchone()[0] == texts


def test_infra_integration_other_lists_are_left_to_psycopg(connection: Any) -> None:
    """Nested lists, and lists of other types."""
    nested, spans = [[1, 2], [3, 4]], [timedelta(hours=1), None]
    assert connection.execute("SELECT %s::int[], %s::interval[]", (nested, spans)).fetchone() == (nested, spans)
    numbers = connection.execute("SELECT %s::float8[]", ([float("inf"), float("-inf"), float("nan")],)).fetchone()[0]
    assert str(numbers) == "[inf, -inf, nan]"
    with pytest.raises(psycopg.DataError, match="NUL"):
        connection.execute("SELECT %s::text[]", (["a\0b"],))
