"""Migrations of databases that are in use: what is stored comes through, up and down."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from alembic import command

from fixtures.database import every_postgresql
from scheduler_core.decisions.schedule_rules import schedule_seed
from scheduler_infra.database import migrator

pytestmark = every_postgresql

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

_FILL = """
INSERT INTO scheduler.tasks (id, namespace, name, status, version, task_version_id, created_at, updated_at) VALUES
    (1, 'default', 'plain', 'ACTIVE', 1, 1, %(noon)s, %(noon)s),
    (2, 'other', 'Übersicht', 'PAUSED', 1, 2, %(noon)s, %(noon)s),
    (3, 'default', 'deleted', 'INACTIVE', 1, 3, %(noon)s, %(noon)s);
INSERT INTO scheduler.task_versions (id, task_id, version, task_type, description, parameters, dependencies, queue,
                                     priority, max_retries, retry, created_at)
SELECT id, id, 1, 'shell', '', '{}', '[]', 'default', 0, 0, '{}', %(noon)s FROM scheduler.tasks;
INSERT INTO scheduler.schedules (task_id, schedule, next_due_at, last_slot_at, recorded_from) VALUES
    (1, '{"cron": "* * * * *"}', %(noon)s + interval '1 minute', NULL, %(noon)s),
    (2, '{"cron": "0 3 * * *", "timezone": "Europe/Berlin"}', NULL, %(noon)s - interval '9 hours',
     %(noon)s - interval '9 days'),
    (3, '{"cron": "0 3 * * *"}', NULL, NULL, %(noon)s);
INSERT INTO scheduler.slots (task_id, scheduled_at, shard_index, last_scheduled_at, count, run_id, reason) VALUES
    (2, %(noon)s - interval '9 hours', 0, %(noon)s - interval '9 hours', 1, 7, NULL),
    (2, %(noon)s - interval '33 hours', 0, %(noon)s - interval '33 hours', 1, NULL, 'MISSED');
INSERT INTO scheduler.task_run_dependencies (upstream_run_id, run_id) VALUES (7, 8);
"""


def move(url: str, revision: str) -> None:
    """Bring a database to a revision, up or down."""
    with migrator._locked_connection(url) as connection:
        config = migrator._config()
        config.attributes["connection"] = connection
        before = migrator._current(connection) or ""
        (command.upgrade if revision > before else command.downgrade)(config, revision)


def fill(url: str) -> None:
    """Store what version 0001 stores."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET timezone TO 'UTC'")
        for statement in _FILL.split(";\n"):
            if statement.strip():
                connection.execute(statement.encode(), {"noon": NOON})


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    """What a statement gives."""
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_infra_integration_0002_keeps_what_0001_stored(empty_database_url: str) -> None:
    """Tasks get the seeds of their names and the policies that they always had; periods begin where records end."""
    url = empty_database_url
    move(url, "0001")
    fill(url)
    move(url, "0002")
    assert migrator.differences(url) == []
    assert rows(url, "SELECT schedule_seed FROM scheduler.tasks ORDER BY id") == [
        (schedule_seed(namespace, name),)
        for namespace, name in (("default", "plain"), ("other", "Übersicht"), ("default", "deleted"))
    ]
    assert set(
        rows(url, "SELECT misfire, misfire_grace_seconds, misfire_runs_max, overlap FROM scheduler.task_versions")
    ) == {("latest", None, 100, "allow")}
    periods = rows(
        url,
        "SELECT task_id, counts_from = coalesce(last_slot_at, recorded_from), counts_until, "
        "period.schedule = schedules.schedule, seed = schedule_seed FROM scheduler.schedule_periods AS period "
        "JOIN scheduler.schedules USING (task_id) JOIN scheduler.tasks ON tasks.id = task_id ORDER BY task_id",
    )
    assert periods == [(1, True, None, True, True), (2, True, None, True, True)]
    assert rows(url, "SELECT DISTINCT regardless FROM scheduler.task_run_dependencies") == [(False,)]
    assert rows(url, "SELECT count(*), count(zone_data) FROM scheduler.slots") == [(2, 0)]


def test_infra_integration_0002_can_be_taken_back(empty_database_url: str) -> None:
    """The way down leaves what 0001 knows; a reason that it does not know becomes MISSED. And up again."""
    url = empty_database_url
    move(url, "0001")
    fill(url)
    before = rows(url, "SELECT task_id, schedule, next_due_at, last_slot_at, recorded_from FROM scheduler.schedules")
    move(url, "0002")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE scheduler.slots SET reason = 'OVERLAP', zone_data = '2026.1' WHERE run_id IS NULL")
    move(url, "0001")
    after = rows(url, "SELECT task_id, schedule, next_due_at, last_slot_at, recorded_from FROM scheduler.schedules")
    assert after == before
    assert rows(url, "SELECT reason FROM scheduler.slots WHERE run_id IS NULL") == [("MISSED",)]
    move(url, "0002")
    assert migrator.differences(url) == []


def test_infra_integration_0001_statements_still_work(empty_database_url: str) -> None:
    """A part of the version before writes its rows into the newer schema as it always did."""
    move(empty_database_url, "0002")
    fill(empty_database_url)
    assert rows(empty_database_url, "SELECT count(*) FROM scheduler.tasks WHERE schedule_seed = 0") == [(3,)]
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_slots_reason"):
        rows(empty_database_url, "UPDATE scheduler.slots SET reason = 'WHY' WHERE run_id IS NULL RETURNING 1")
