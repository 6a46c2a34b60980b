"""Seeds, policies and periods of schedules; the time zone data and data intervals of slots."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UPGRADE = """
-- Stands in for what the task's schedule leaves open; drawn from the name that the task was created with.
ALTER TABLE scheduler.tasks ADD COLUMN schedule_seed integer NOT NULL DEFAULT 0;
UPDATE scheduler.tasks SET schedule_seed =
    ('x' || left(encode(sha256(convert_to(namespace || '/' || name, 'UTF8')), 'hex'), 8))::bit(32)::bigint
    & 2147483647;

ALTER TABLE scheduler.task_versions
    ADD COLUMN misfire text NOT NULL DEFAULT 'latest',
    ADD COLUMN misfire_grace_seconds double precision,
    ADD COLUMN misfire_runs_max integer NOT NULL DEFAULT 100,
    ADD COLUMN overlap text NOT NULL DEFAULT 'allow',
    ADD CONSTRAINT ck_task_versions_misfire CHECK (misfire IN ('skip', 'latest', 'all')),
    ADD CONSTRAINT ck_task_versions_misfire_grace_seconds CHECK (misfire_grace_seconds >= 0),
    ADD CONSTRAINT ck_task_versions_misfire_runs_max CHECK (misfire_runs_max >= 1),
    ADD CONSTRAINT ck_task_versions_overlap CHECK (overlap IN ('allow', 'skip', 'queue', 'cancel_previous'));

-- The run whose end tells when a schedule with a fixed delay is due next; next_due_at is NULL until then.
ALTER TABLE scheduler.schedules ADD COLUMN awaits_run_id bigint;
CREATE INDEX idx_schedules_awaits_run_id ON scheduler.schedules (awaits_run_id) WHERE awaits_run_id IS NOT NULL;

-- Which schedule of a task counted when: for slots after counts_from, up to and including counts_until (NULL: still).
-- With it the ledger can be recomputed by itself. What was recorded before this table was there begins no period.
CREATE TABLE scheduler.schedule_periods (
    task_id bigint NOT NULL,
    counts_from timestamptz NOT NULL,
    counts_until timestamptz,
    schedule jsonb NOT NULL,
    seed integer NOT NULL,
    CONSTRAINT pk_schedule_periods PRIMARY KEY (task_id, counts_from),
    CONSTRAINT fk_schedule_periods_tasks FOREIGN KEY (task_id) REFERENCES scheduler.tasks (id)
);

-- Version 0001 changed a schedule and left last_slot_at where the former one stood. What next_due_at names is the
-- oldest slot that is not recorded, so all before it is; while a task is paused its schedule counts since its version.
UPDATE scheduler.schedules
SET last_slot_at = known.until
FROM (
    SELECT standing.task_id, coalesce(standing.next_due_at - interval '1 microsecond', present.since) AS until
    FROM scheduler.schedules AS standing
    CROSS JOIN LATERAL (
        SELECT max(version.created_at) AS since
        FROM scheduler.task_versions AS version
        LEFT JOIN scheduler.task_versions AS former
            ON former.task_id = version.task_id AND former.version = version.version - 1
        WHERE version.task_id = standing.task_id AND version.schedule IS DISTINCT FROM former.schedule
    ) AS present
) AS known
WHERE known.task_id = schedules.task_id AND known.until > coalesce(schedules.last_slot_at, schedules.recorded_from);

INSERT INTO scheduler.schedule_periods (task_id, counts_from, schedule, seed)
SELECT schedules.task_id, coalesce(schedules.last_slot_at, schedules.recorded_from), schedules.schedule,
       tasks.schedule_seed
FROM scheduler.schedules
JOIN scheduler.tasks ON tasks.id = schedules.task_id
WHERE tasks.status <> 'INACTIVE';

-- The version of the time zone database by which the slot was computed.
ALTER TABLE scheduler.slots ADD COLUMN zone_data text;
ALTER TABLE scheduler.slots DROP CONSTRAINT ck_slots_reason;
ALTER TABLE scheduler.slots ADD CONSTRAINT ck_slots_reason
    CHECK (reason IN ('MISSED', 'MISFIRED', 'OVERLAP', 'PAUSED', 'OUTSIDE_VALIDITY'));

-- The data interval, its end excluded, of a run that belongs to a slot.
ALTER TABLE scheduler.task_runs ADD COLUMN interval_from timestamptz, ADD COLUMN interval_to timestamptz;

-- The waiting run goes on however the one upstream ends.
ALTER TABLE scheduler.task_run_dependencies ADD COLUMN regardless boolean NOT NULL DEFAULT false;
"""

DOWNGRADE = """
ALTER TABLE scheduler.task_run_dependencies DROP COLUMN regardless;
ALTER TABLE scheduler.task_runs DROP COLUMN interval_from, DROP COLUMN interval_to;
ALTER TABLE scheduler.slots DROP CONSTRAINT ck_slots_reason;
UPDATE scheduler.slots SET reason = 'MISSED' WHERE reason NOT IN ('MISSED', 'PAUSED');
ALTER TABLE scheduler.slots ADD CONSTRAINT ck_slots_reason CHECK (reason IN ('MISSED', 'PAUSED'));
ALTER TABLE scheduler.slots DROP COLUMN zone_data;
DROP TABLE scheduler.schedule_periods;
DROP INDEX scheduler.idx_schedules_awaits_run_id;
ALTER TABLE scheduler.schedules DROP COLUMN awaits_run_id;
ALTER TABLE scheduler.task_versions DROP COLUMN misfire, DROP COLUMN misfire_grace_seconds,
    DROP COLUMN misfire_runs_max, DROP COLUMN overlap;
ALTER TABLE scheduler.tasks DROP COLUMN schedule_seed;
"""


def upgrade() -> None:
    """Add columns and a table; what version 0001 reads or writes keeps its meaning."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Remove them; reasons that 0001 does not know become MISSED."""
    op.execute(DOWNGRADE)
