"""The schema: migrations, names, checks, and the errors of a database that cannot be used."""

import re
from pathlib import Path

import psycopg
import pytest

from fixtures.database import every_postgresql
from scheduler_core.errors import SchemaVersionError, StoreUnavailableError
from scheduler_core.models import TRANSITIONS, SlotReason, TaskRunStatus
from scheduler_infra.database import DatabaseConfig, migrator, open_store
from scheduler_infra.database.schema_version import REQUIRED_SCHEMA_VERSION

PREFIXES = {"p": "pk", "u": "uq", "f": "fk", "c": "ck"}


@every_postgresql
def test_infra_integration_upgrade_reaches_the_tables_that_the_code_knows(empty_database_url: str) -> None:
    """The migrations make exactly what tables.py says, and can be repeated."""
    assert migrator.current(empty_database_url) is None
    assert migrator.upgrade(empty_database_url) == migrator.head() == REQUIRED_SCHEMA_VERSION
    assert migrator.upgrade(empty_database_url) == migrator.current(empty_database_url)
    assert migrator.differences(empty_database_url) == []


def test_infra_integration_upgrade_needs_no_more_than_its_own_schema(empty_database_url: str) -> None:
    """Where an administrator has made the schema, its owner can migrate without the right to make schemas."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS schema_owner")
        connection.execute("CREATE ROLE schema_owner LOGIN")
        connection.execute("CREATE SCHEMA scheduler AUTHORIZATION schema_owner")
    url = empty_database_url.replace("//scheduler@", "//schema_owner@")
    assert migrator.upgrade(url) == migrator.head()


def test_infra_integration_upgrade_sql_makes_the_same_schema(empty_database_url: str) -> None:
    """The printed SQL does what `upgrade` does."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(migrator.upgrade_sql().encode())
    assert migrator.current(empty_database_url) == migrator.head()
    assert migrator.differences(empty_database_url) == []


def test_infra_integration_names_follow_the_convention(database_url: str) -> None:
    """idx_{table}_…, pk_{table}, fk_{table}_{referenced}, uq_{table}_…, ck_{table}_…: without an exception."""
    with psycopg.connect(database_url) as connection:
        constraints = connection.execute(
            "SELECT conname, contype, relation.relname, referenced.relname FROM pg_constraint "
            "JOIN pg_class AS relation ON relation.oid = conrelid "
            "LEFT JOIN pg_class AS referenced ON referenced.oid = confrelid "
            "WHERE connamespace = 'scheduler'::regnamespace AND contype IN ('p', 'u', 'f', 'c') "
            "AND relation.relname <> 'alembic_version'"
        ).fetchall()
        indexes = connection.execute(
            "SELECT index.relname, relation.relname, indisunique FROM pg_index "
            "JOIN pg_class AS index ON index.oid = indexrelid JOIN pg_class AS relation ON relation.oid = indrelid "
            "WHERE index.relnamespace = 'scheduler'::regnamespace AND relation.relname <> 'alembic_version' "
            "AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)"
        ).fetchall()
    assert len(constraints) > 20
    assert len(indexes) > 10
    for name, kind, table, referenced in constraints:
        wanted = f"{PREFIXES[kind]}_{table}" + (f"_{referenced}" if kind == "f" else "")
        assert name.startswith(wanted), name
    for name, table, unique in indexes:
        assert name.startswith(f"{'uq' if unique else 'idx'}_{table}_"), name


def test_infra_integration_checks_know_every_status(database_url: str) -> None:
    """The statuses in the schema's checks are those of the transition table, the reasons those of the ledger."""
    assert _words_of(database_url, "ck_task_runs_status") == {status.value for status in TaskRunStatus}
    active = {status.value for status in TaskRunStatus if TRANSITIONS[status]}
    assert _words_of(database_url, "ck_task_runs_final_has_completed_at") == active
    assert _words_of(database_url, "ck_slots_reason") == {reason.value for reason in SlotReason}


async def test_infra_integration_open_store_names_the_remedy_for_a_missing_schema(
    empty_database_url: str, tmp_path: Path
) -> None:
    """An empty database is refused with the command that helps."""
    with pytest.raises(SchemaVersionError, match="scheduler-infra db upgrade"):
        await open_store(DatabaseConfig(url=empty_database_url), state_dir=tmp_path, application_name="tests")


async def test_infra_integration_open_store_tells_why_it_cannot_connect(tmp_path: Path) -> None:
    """An unreachable database is one sentence with the server's own reason."""
    config = DatabaseConfig(url="postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1"):
        await open_store(config, state_dir=tmp_path, application_name="tests")


def _words_of(url: str, constraint: str) -> set[str]:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", (constraint,)
        ).fetchone()
    assert row is not None
    return set(re.findall(r"'([A-Z_]+)'", row[0]))
