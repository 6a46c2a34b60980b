"""Statements by name."""

import re

from psycopg._queries import PostgresQuery
from psycopg.adapt import Transformer

from scheduler_infra.database.query_loader import query


def test_infra_unit_query_takes_long_statements_apart_only_once() -> None:
    """A claim, which is longer than what psycopg keeps by itself, costs its second execution no parsing."""
    text = query("claim_runs")
    assert len(text) > 4096
    parameters = dict.fromkeys(("session_id", "queues", "task_types", "limit", "look", "now"))
    statement = PostgresQuery(Transformer())
    found = []
    for _ in range(2):
        statement.convert(text, parameters)
        found.append(statement._parts)
    assert found[0] is found[1]


def test_infra_unit_query_all_claims_write_the_same() -> None:
    """A run begins alike, whichever of the three statements takes it."""
    written = {
        re.sub(r"\s+", " ", query(name).partition("), claimed AS (")[2].partition("FROM session")[0])
        for name in ("claim_runs", "claim_granted_runs", "claim_limited_runs")
    }
    assert len(written) == 1
    assert "SET status = 'RUNNING'" in written.pop()
