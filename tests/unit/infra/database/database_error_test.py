"""What the driver's errors mean to others."""

import psycopg
import pytest

from scheduler_core.errors import RepositoryError, StoreUnavailableError
from scheduler_infra.database.database_error import translate


@pytest.mark.parametrize("sqlstate", ["25P03", "57P05", "57P01", "08006"])
def test_infra_unit_a_session_that_the_server_ended_is_an_outage(sqlstate: str) -> None:
    """Such as that of a process that stood still in a transaction: whoever needs it connects again."""
    error = psycopg.errors.lookup(sqlstate)("terminating connection")
    assert isinstance(translate(error), StoreUnavailableError)


def test_infra_unit_a_statement_that_is_refused_is_none() -> None:
    """It would be refused again."""
    error = psycopg.errors.lookup("22012")("division by zero")
    assert type(translate(error)) is RepositoryError
