"""Migrations of databases that are in use: what is stored comes through, up and down."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from alembic import command

from fixtures.database import every_postgresql
from fixtures.earlier_version import run_as_0001, run_as_0002
from scheduler_core.decisions.schedule_rules import schedule_seed
from scheduler_infra.database import migrator
from scheduler_infra.database.schema_version import REQUIRED_SCHEMA_VERSION

pytestmark = every_postgresql

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

_FILL = """
INSERT INTO scheduler.tasks (id, namespace, name, status, version, task_version_id, created_at, updated_at) VALUES
    (1, 'default', 'plain', 'ACTIVE', 1, 1, %(noon)s, %(noon)s),
    (2, 'other', 'Übersicht', 'PAUSED', 1, 2, %(noon)s, %(noon)s),
    (3, 'default', 'deleted', 'INACTIVE', 1, 3, %(noon)s, %(noon)s);
INSERT INTO scheduler.task_versions (id, task_id, version, task_type, description, parameters, dependencies, queue,
                                     priority, max_retries, retry, created_at)
SELECT id, id, 1, 'shell', '', '{}', '[]', 'default', 0, 0, '{}', %(noon)s - interval '10 days' FROM scheduler.tasks;
SELECT setval('scheduler.task_versions_id_seq', 100);
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

_RUNS = """
INSERT INTO scheduler.worker_sessions (id, worker_id, hostname, pid, boot_id, process_started_at, state, queues,
                                       task_types, places, lease_seconds, lease_expires_at, version, started_at,
                                       last_heartbeat_at) VALUES
    (1, 'old', 'host', 1, 'boot', 1, 'ALIVE', '{default}', '{shell}', 1, 3600, now() + interval '1 hour', '0.1.0',
     now(), now());
INSERT INTO scheduler.task_runs (id, task_id, task_version_id, flow_id, session_id, scheduled_at, not_before,
                                 created_at, started_at, attempt, max_retries, waiting_on, priority, needs_settlement,
                                 status, trigger, namespace, queue, task_type) VALUES
    (7, 1, 1, 7, 1, now(), now(), now(), now(), 1, 0, 0, 5, true, 'RUNNING', 'MANUAL', 'default', 'default', 'shell'),
    (8, 1, 1, 7, NULL, now(), now(), now(), NULL, 0, 0, 1, 5, false, 'PENDING', 'DEPENDENCY', 'default', 'default',
     'shell')
"""

_FOREIGN = """
UPDATE scheduler.task_versions SET dependencies = '["other"]' WHERE id = 1;
INSERT INTO scheduler.tasks (id, namespace, name, status, version, task_version_id, created_at, updated_at)
SELECT id, 'default', 'foreign-' || id, 'ACTIVE', 1, id, now(), now() FROM generate_series(4, 6) AS id;
INSERT INTO scheduler.task_versions (id, task_id, version, task_type, description, parameters, dependencies, queue,
                                     priority, max_retries, retry, flow_options, created_at) VALUES
    (4, 4, 2, 'shell', '', '{}', '["plain", {"task": "x", "interval": "same"}]', 'default', 0, 0, '{}', '{}', now()),
    (5, 5, 1, 'flow', '', '{}', '[]', 'default', 0, 0, '{}', '{"sub_flow": "plain"}', now()),
    (6, 6, 1, 'shell', '', '{}', '[]', 'default', 0, 0, '{}', '{"broadcast": true}', now()),
    (14, 4, 1, 'shell', '', '{}', '[{"task": "x", "interval": "same"}, "old"]', 'default', 0, 0, '{}', '{}', now());
INSERT INTO scheduler.schedules (task_id, schedule, next_due_at, recorded_from) VALUES
    (4, '{"cron": "* * * * *"}', now(), now());
INSERT INTO scheduler.task_runs (id, task_id, task_version_id, flow_id, session_id, scheduled_at, not_before,
                                 created_at, started_at, attempt, max_retries, waiting_on, priority, status, trigger,
                                 namespace, queue, task_type, group_id, upstream_skips)
SELECT id, task_id, task_id, 7, session_id, now(), now(), now(), CASE WHEN session_id IS NOT NULL THEN now() END,
       coalesce(session_id, 0), 0, waiting_on, 5, status, 'DEPENDENCY', 'default', queue, 'shell', group_id, skips
FROM (VALUES (30, 6, NULL, 0, 'DISPATCHED', '@w1', NULL, NULL), (31, 1, NULL, 0, 'DISPATCHED', 'default', 29, NULL),
             (32, 1, NULL, 1, 'PENDING', 'default', NULL, 1), (33, 6, 1, 0, 'RUNNING', '@w1', 29, NULL),
             (34, 4, NULL, 0, 'DISPATCHED', 'default', NULL, NULL), (35, 1, NULL, 0, 'DISPATCHED', 'default', NULL, 0))
    AS made(id, task_id, session_id, waiting_on, status, queue, group_id, skips)
"""

_GATED = """
INSERT INTO scheduler.tasks (id, namespace, name, status, version, task_version_id, created_at, updated_at)
SELECT id, 'default', 'gated-' || id, 'ACTIVE', 1, id, now(), now() FROM generate_series(4, 7) AS id;
INSERT INTO scheduler.limits (id, namespace, name, description, concurrent, rate_seconds, created_at, updated_at)
VALUES (1, 'default', 'one', '', 1, 1, now(), now());
INSERT INTO scheduler.limit_keys (id, limit_id, key) VALUES (1, 1, '');
INSERT INTO scheduler.task_limits (task_id, limit_id) VALUES (4, 1);
INSERT INTO scheduler.dispatch_streams (id, signature, key, limit_key_ids) VALUES
    (1, 'one', '{"queue": "default", "task_type": "shell"}', '{1}');
INSERT INTO scheduler.task_versions (id, task_id, version, task_type, description, parameters, dependencies, queue,
                                     priority, max_retries, retry, dispatch_options, gated, stream_id, created_at)
VALUES (4, 4, 1, 'shell', '', '{}', '[]', 'default', 0, 0, '{}', '{"limits": ["one"]}', true, NULL, now()),
       (5, 5, 2, 'shell', '', '{}', '[]', 'default', 0, 0, '{}', '{}', false, NULL, now()),
       (6, 6, 1, 'shell', '', '{}', '[]', 'default', 0, 0, '{}', '{}', false, 1, now()),
       (7, 7, 2, 'shell', '', '{}', '[]', 'default', 0, 0, '{}', '{}', false, NULL, now()),
       (15, 5, 1, 'shell', '', '{}', '[]', 'default', 0, 0, '{}', '{"limits": ["one"]}', true, NULL, now()),
       (17, 7, 1, 'shell', '', '{}', '[]', 'default', 0, 0, '{}', '{"limits": ["one"]}', true, NULL, now());
INSERT INTO scheduler.task_runs (id, task_id, task_version_id, flow_id, session_id, scheduled_at, not_before,
                                 created_at, started_at, attempt, max_retries, waiting_on, priority, status, trigger,
                                 namespace, queue, task_type, gated, background, stream_id, limit_key_ids, assigned_to,
                                 completed_at)
SELECT id, task_id, version_id, 7, session_id, now(), now(), now(), CASE WHEN session_id IS NOT NULL THEN now() END,
       coalesce(session_id, 0), 0, 0, 5, status, 'MANUAL', 'default', 'default', 'shell', true, background, stream_id,
       limit_key_ids, assigned_to, CASE WHEN status = 'QUARANTINED' THEN now() END
FROM (VALUES (40, 4, 4, NULL::bigint, 'DISPATCHED', NULL::boolean, 1, '{1}'::bigint[], NULL::bigint),
             (41, 4, 4, NULL, 'PENDING', NULL, 1, '{1}', NULL), (42, 4, 4, 1, 'RUNNING', NULL, 1, '{1}', NULL),
             (43, 5, 15, NULL, 'DISPATCHED', NULL, 1, NULL, NULL), (44, 6, 6, NULL, 'DISPATCHED', true, NULL, NULL, 1),
             (45, 6, 6, NULL, 'QUARANTINED', NULL, NULL, NULL, NULL), (46, 7, 17, 1, 'RUNNING', NULL, 1, '{1}', NULL))
    AS made(id, task_id, version_id, session_id, status, background, stream_id, limit_key_ids, assigned_to);
INSERT INTO scheduler.task_run_permits (limit_key_id, run_id, attempt) VALUES (1, 42, 1);
INSERT INTO scheduler.task_unique_keys (task_id, key, run_id, created_at) VALUES (6, '', 44, now());
INSERT INTO scheduler.quarantined_runs (run_id, quarantined_at, evidence) VALUES (45, now(), '{}')
"""


def definition_of_0001(task_id: int, **changes: Any) -> dict[str, Any]:
    """A definition as version 0001 writes it."""
    return {
        "task_id": task_id, "namespace": "default", "name": f"task-{task_id}", "description": "", "task_type": "shell",
        "parameters": {}, "schedule": None, "dependencies": [], "queue": "default", "priority": 5,
        "timeout_seconds": None, "max_retries": 0, "retry": {}, "next_due_at": None, **changes,
    }  # fmt: skip


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
    before = rows(
        url, "SELECT task_id, schedule, next_due_at, last_slot_at, recorded_from FROM scheduler.schedules ORDER BY 1"
    )
    move(url, "0002")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE scheduler.slots SET reason = 'OVERLAP', zone_data = '2026.1' WHERE run_id IS NULL")
    move(url, "0001")
    after = rows(
        url, "SELECT task_id, schedule, next_due_at, last_slot_at, recorded_from FROM scheduler.schedules ORDER BY 1"
    )
    # Where nothing was recorded yet the record goes to just before the next slot: 0001 does not ask for more.
    assert [row[:3] + row[4:] for row in after] == [row[:3] + row[4:] for row in before]
    moved = {row[0]: row[3] for row in after if row not in before}
    assert moved == {1: NOON + timedelta(minutes=1) - timedelta(microseconds=1)}
    assert rows(url, "SELECT reason FROM scheduler.slots WHERE run_id IS NULL") == [("MISSED",)]
    move(url, REQUIRED_SCHEMA_VERSION)
    assert migrator.differences(url) == []


def test_infra_integration_0003_can_be_taken_back(empty_database_url: str) -> None:
    """The way down cancels what waits or runs by what 0002 does not know, and pauses such tasks. And up again."""
    url = empty_database_url
    move(url, "0003")
    fill(url)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in _RUNS.split(";\n"):
            connection.execute(statement.encode())
        connection.execute(
            b"INSERT INTO scheduler.task_runs (id, task_id, task_version_id, flow_id, scheduled_at, not_before, "
            b"created_at, max_retries, waiting_on, priority, status, trigger, namespace, queue, task_type, "
            b"trigger_rule, group_id, expands, completed_at) SELECT id, 1, 1, 7, now(), now(), now(), 0, waits, 5, "
            b"status, 'DEPENDENCY', 'default', 'default', 'shell', rule, member_of, expands, ended "
            b"FROM (VALUES (20, 1, 'PENDING', 'all_done', NULL::bigint, NULL::boolean, NULL::timestamptz), "
            b"(21, 0, 'PENDING', NULL, 20, NULL, NULL), (22, 0, 'PENDING', NULL, NULL, true, NULL), "
            b"(23, 2, 'FAILED', NULL, NULL, NULL, now()), (24, 1, 'PENDING', NULL, NULL, NULL, NULL)) "
            b"AS made(id, waits, status, rule, member_of, expands, ended)"
        )
        connection.execute(
            b"INSERT INTO scheduler.task_run_waits (run_id, position, upstream_task_id, dependency, expected, state) "
            b"VALUES (24, 0, 1, '{}', 1, 'OPEN')"
        )
        for statement in _FOREIGN.split(";\n"):
            connection.execute(statement.encode())
    move(url, "0002")
    assert rows(url, "SELECT id, status, waiting_on FROM scheduler.task_runs ORDER BY id") == [
        (7, "RUNNING", 0),
        (8, "PENDING", 1),
        (20, "CANCELLED", 1),
        (21, "CANCELLED", 0),
        (22, "CANCELLED", 0),
        (23, "FAILED", 0),
        (24, "CANCELLED", 1),
        (30, "CANCELLED", 0),
        (31, "CANCELLED", 0),
        (32, "CANCELLED", 1),
        (33, "RUNNING", 0),
        (34, "PENDING", 0),
        (35, "DISPATCHED", 0),
    ]
    assert rows(url, "SELECT id FROM scheduler.task_runs WHERE queue <> 'default' OR held ORDER BY id") == [
        (30,),
        (34,),
    ]
    assert rows(
        url,
        "SELECT tasks.id, status, dependencies, next_due_at IS NOT NULL FROM scheduler.tasks "
        "JOIN scheduler.task_versions AS version ON version.id = task_version_id "
        "LEFT JOIN scheduler.schedules ON schedules.task_id = tasks.id ORDER BY tasks.id",
    ) == [
        (1, "ACTIVE", ["other"], True),
        (2, "PAUSED", [], False),
        (3, "INACTIVE", [], False),
        (4, "PAUSED", ["plain"], False),
        (5, "PAUSED", [], False),
        (6, "PAUSED", [], False),
    ]
    # Also the versions before: 0002 shows them.
    assert rows(url, "SELECT dependencies FROM scheduler.task_versions WHERE id = 14") == [(["old"],)]
    move(url, REQUIRED_SCHEMA_VERSION)
    assert migrator.differences(url) == []


def test_infra_integration_0004_can_be_taken_back(empty_database_url: str) -> None:
    """The way down pauses what 0003 would run without its limits, and puts its runs aside. And up again."""
    url = empty_database_url
    move(url, REQUIRED_SCHEMA_VERSION)
    fill(url)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in _RUNS.split(";\n"):
            connection.execute(statement.encode())
        for statement in _GATED.split(";\n"):
            connection.execute(statement.encode())
    move(url, "0003")
    assert rows(url, "SELECT id, status FROM scheduler.tasks WHERE id IN (1, 4, 5, 6, 7) ORDER BY id") == [
        (1, "ACTIVE"),
        (4, "PAUSED"),
        # Its present definition has no limit, but a run of a former one waits.
        (5, "PAUSED"),
        (6, "ACTIVE"),
        # One is carried out and may be tried again.
        (7, "PAUSED"),
    ]
    assert rows(url, "SELECT id, status, held FROM scheduler.task_runs ORDER BY id") == [
        (7, "RUNNING", False),
        (8, "PENDING", False),
        (40, "PENDING", True),
        (41, "PENDING", True),
        (42, "RUNNING", False),
        (43, "PENDING", True),
        (44, "PENDING", False),
        (45, "QUARANTINED", False),
        (46, "RUNNING", False),
    ]
    move(url, REQUIRED_SCHEMA_VERSION)
    assert migrator.differences(url) == []
    assert (
        rows(url, "SELECT id FROM scheduler.task_runs WHERE claim_at IS NULL AND status IN ('PENDING', 'RUNNING')")
        == []
    )


def test_infra_integration_0006_can_be_taken_back(empty_database_url: str) -> None:
    """The way down leaves nothing that 0005 cannot read: reasons of skips, fields of retry policies. And up again."""
    url = empty_database_url
    move(url, REQUIRED_SCHEMA_VERSION)
    fill(url)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in _RUNS.split(";\n"):
            connection.execute(statement.encode())
        connection.execute(
            """UPDATE scheduler.task_versions SET retry = '{"jitter": 0.5, "delays": [1], "on_exit_codes": [75]}' """
            "WHERE id = 1"
        )
        connection.execute(
            "UPDATE scheduler.task_runs SET status = 'SKIPPED', skip_reason = 'JOB_ASKED', completed_at = now() "
            "WHERE id = 8"
        )
    move(url, "0005")
    assert rows(url, "SELECT retry FROM scheduler.task_versions WHERE id = 1") == [({"jitter": 0.5},)]
    assert rows(url, "SELECT status, skip_reason FROM scheduler.task_runs WHERE id = 8") == [("SKIPPED", None)]
    move(url, REQUIRED_SCHEMA_VERSION)
    assert migrator.differences(url) == []


def test_infra_integration_0002_periods_begin_where_0001_changed_the_schedule(empty_database_url: str) -> None:
    """0001 left the record behind when it changed a schedule: what the former one stood for is not the new one's."""
    url = empty_database_url
    move(url, "0001")
    fill(url)
    yearly = {"next_due_at": (NOON + timedelta(days=2)).isoformat(), "schedule": {"cron": "0 0 1 1 *"}}
    run_as_0001(url, "update_tasks", definitions=json.dumps([definition_of_0001(1, **yearly)]), now=NOON)
    minutely = {"next_due_at": (NOON + timedelta(days=2)).isoformat(), "schedule": {"cron": "* * * * *"}}
    run_as_0001(
        url,
        "update_tasks",
        definitions=json.dumps([definition_of_0001(task_id, **minutely) for task_id in (1, 2)]),
        now=NOON + timedelta(days=1),
    )
    move(url, "0002")
    assert rows(
        url,
        "SELECT task_id, counts_from, coalesce(last_slot_at, recorded_from) FROM scheduler.schedule_periods "
        "JOIN scheduler.schedules USING (task_id) ORDER BY task_id",
    ) == [
        (1, *[NOON + timedelta(days=2) - timedelta(microseconds=1)] * 2),
        (2, *[NOON + timedelta(days=1)] * 2),
    ]


def test_infra_integration_0002_statements_still_work(empty_database_url: str) -> None:
    """A part of the version before changes tasks, claims, reports and settles in the newer schema as it always did."""
    url = empty_database_url
    move(url, "0003")
    fill(url)
    more = {"misfire": "skip", "misfire_grace_seconds": None, "misfire_runs_max": 7, "overlap": "queue"}
    changed = definition_of_0001(1, schedule={"cron": "0 3 * * *"}, next_due_at=NOON.isoformat(), **more)
    assert run_as_0002(url, "update_tasks", definitions=json.dumps([changed])) == [{"id": 1}]
    assert rows(
        url,
        "SELECT version.version, overlap, flow_options, parameters_schema FROM scheduler.task_versions AS version "
        "JOIN scheduler.tasks ON tasks.task_version_id = version.id WHERE tasks.id = 1",
    ) == [(2, "queue", {}, None)]
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in _RUNS.split(";\n"):
            connection.execute(statement.encode())
    report = {"attempts": [1], "statuses": ["COMPLETED"], "results": [None], "errors": [None], "delays": [None]}
    [finished] = run_as_0002(url, "finish_runs", session_id=1, run_ids=[7], **report)
    assert (finished["run_id"], finished["status"]) == (7, "COMPLETED")
    [released] = run_as_0002(url, "settle_runs", run_ids=[7])
    assert (released["id"], released["status"]) == (8, "DISPATCHED")
    [claimed] = run_as_0002(url, "claim_runs", session_id=1, queues=["default"], task_types=["shell"], limit=5)
    assert claimed["id"] == 8


def test_infra_integration_0001_statements_still_work(empty_database_url: str) -> None:
    """A part of the first version changes tasks, reports and settles in the newer schema as it always did."""
    url = empty_database_url
    move(url, "0003")
    fill(url)
    assert rows(url, "SELECT count(*) FROM scheduler.tasks WHERE schedule_seed = 0") == [(3,)]
    changed = definition_of_0001(
        1, schedule={"cron": "0 3 * * *"}, next_due_at=(NOON + timedelta(hours=15)).isoformat()
    )
    assert run_as_0001(url, "update_tasks", definitions=json.dumps([changed])) == [{"id": 1}]
    assert rows(
        url,
        "SELECT version.version, misfire, overlap, next_due_at FROM scheduler.task_versions AS version "
        "JOIN scheduler.tasks ON tasks.task_version_id = version.id "
        "JOIN scheduler.schedules ON schedules.task_id = tasks.id WHERE tasks.id = 1",
    ) == [(2, "latest", "allow", NOON + timedelta(hours=15))]
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in _RUNS.split(";\n"):
            connection.execute(statement.encode())
    report = {"attempts": [1], "statuses": ["COMPLETED"], "results": [None], "errors": [None], "delays": [None]}
    assert run_as_0001(url, "finish_runs", session_id=1, run_ids=[7], **report) == [
        {"run_id": 7, "status": "COMPLETED"}
    ]
    [released] = run_as_0001(url, "settle_runs", run_ids=[7])
    assert (released["id"], released["status"]) == (8, "DISPATCHED")
    assert rows(url, "SELECT status, needs_settlement, interval_from FROM scheduler.task_runs ORDER BY id") == [
        ("COMPLETED", False, None),
        ("DISPATCHED", False, None),
    ]
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_slots_reason"):
        rows(empty_database_url, "UPDATE scheduler.slots SET reason = 'WHY' WHERE run_id IS NULL RETURNING 1")
