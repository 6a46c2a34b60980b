"""Trigger rules, conditions and groups of flows; dependencies on intervals; who dispatches.

The way down cancels the runs that wait by what version 0002 does not know, and the runs of groups that have not begun.
It pauses the tasks that would mean something else there: those of type `flow`, those with a trigger rule, a condition,
a group or another option of flows, and those that depend on intervals. These options and dependencies are lost and do
not come back with the way up: look at the paused tasks, correct them, and resume them. Templates in parameters stay as
they are, and 0002 takes them for plain text.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UPGRADE = """
-- What a definition says about its place in a flow; only what differs from the defaults.
ALTER TABLE scheduler.task_versions
    ADD COLUMN flow_options jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN parameters_schema jsonb;

-- How tasks need each other beside the dependencies within a flow: task_id names other_task_id in its definition.
CREATE TABLE scheduler.task_links (
    task_id bigint NOT NULL,
    kind text NOT NULL,
    other_task_id bigint NOT NULL,
    CONSTRAINT pk_task_links PRIMARY KEY (task_id, kind, other_task_id),
    CONSTRAINT fk_task_links_tasks FOREIGN KEY (task_id) REFERENCES scheduler.tasks (id),
    CONSTRAINT fk_task_links_tasks_other_task_id FOREIGN KEY (other_task_id) REFERENCES scheduler.tasks (id),
    CONSTRAINT ck_task_links_kind CHECK (kind IN ('INTERVAL', 'SUB_FLOW'))
);
CREATE INDEX idx_task_links_other_task_id ON scheduler.task_links (other_task_id);

-- All of these are NULL in an ordinary run, where they take no room.
ALTER TABLE scheduler.task_runs
    -- NULL: all_success, which is counted in waiting_on alone. Else how the upstream runs, so many, have ended so far;
    -- in a group that is expanded the same columns count its own runs.
    ADD COLUMN trigger_rule text,
    ADD COLUMN upstreams integer,
    ADD COLUMN upstream_successes integer,
    ADD COLUMN upstream_failures integer,
    ADD COLUMN upstream_skips integer,
    -- true: once it waits for nothing, a dispatcher has to evaluate its condition or make the runs of its group.
    ADD COLUMN expands boolean,
    -- The group that the run belongs to, its place there, and what it is for; of a group that is expanded its size.
    ADD COLUMN group_id bigint,
    ADD COLUMN group_size integer,
    ADD COLUMN shard_index integer,
    ADD COLUMN shard_total integer,
    ADD COLUMN item jsonb,
    ADD COLUMN skip_reason text,
    -- A run of an interval that this one had waited for was made again since.
    ADD COLUMN stale_since timestamptz,
    ADD COLUMN stale_run_id bigint,
    ADD CONSTRAINT ck_task_runs_skip_reason CHECK (skip_reason IN ('UPSTREAM_FAILED', 'UPSTREAM_SKIPPED', 'RULE_UNMET',
        'WHEN_FALSE', 'DEPENDENCY_UNMET', 'GROUP_FAILED', 'WORKER_GONE')),
    DROP CONSTRAINT ck_task_runs_admitted_waits_for_nothing,
    ADD CONSTRAINT ck_task_runs_admitted_waits_for_nothing
        CHECK (waiting_on >= 0 AND (waiting_on = 0 OR status IN ('PENDING', 'CANCELLED', 'SKIPPED', 'FAILED')));
CREATE INDEX idx_task_runs_group_id ON scheduler.task_runs (group_id, id) WHERE group_id IS NOT NULL;
CREATE INDEX idx_task_runs_expands_not_before ON scheduler.task_runs (not_before, id)
    WHERE status = 'PENDING' AND waiting_on = 0 AND expands AND NOT held;
-- Runs of a group that wait for a place in it, and runs that are meant for one worker.
CREATE INDEX idx_task_runs_group_waiting ON scheduler.task_runs (group_id, id)
    WHERE group_id IS NOT NULL AND status = 'PENDING' AND waiting_on > 0;
CREATE INDEX idx_task_runs_broadcast_id ON scheduler.task_runs (id)
    WHERE left(queue, 1) = '@' AND status IN ('PENDING', 'DISPATCHED');
CREATE INDEX idx_task_runs_stale_id ON scheduler.task_runs (id) WHERE stale_since IS NOT NULL;
-- The runs that stand for a slot.
CREATE INDEX idx_task_runs_task_id_scheduled_at ON scheduler.task_runs (task_id, scheduled_at)
    WHERE interval_to IS NOT NULL AND group_id IS NULL;

-- `tolerant`: the waiting run takes the upstream run's failure for a success. `given`: the upstream run is one of an
-- earlier flow whose end was counted when the waiting run was made.
ALTER TABLE scheduler.task_run_dependencies
    ADD COLUMN tolerant boolean NOT NULL DEFAULT false,
    ADD COLUMN given boolean NOT NULL DEFAULT false;

-- A run's dependencies on intervals, in the order of its definition: which slots of another task it waits for.
CREATE TABLE scheduler.task_run_waits (
    run_id bigint NOT NULL,
    position smallint NOT NULL,
    upstream_task_id bigint NOT NULL,
    dependency jsonb NOT NULL,
    expected integer NOT NULL,
    deadline_at timestamptz,
    state text NOT NULL,
    settled_at timestamptz,
    CONSTRAINT pk_task_run_waits PRIMARY KEY (run_id, position),
    CONSTRAINT ck_task_run_waits_state CHECK (state IN ('OPEN', 'MET', 'UNMET', 'WAIVED', 'OVERDUE'))
);
CREATE INDEX idx_task_run_waits_deadline_at ON scheduler.task_run_waits (deadline_at, run_id) WHERE state = 'OPEN';
CREATE INDEX idx_task_run_waits_open_run_id ON scheduler.task_run_waits (run_id, position)
    WHERE state IN ('OPEN', 'OVERDUE');

CREATE TABLE scheduler.task_run_wait_slots (
    upstream_task_id bigint NOT NULL,
    scheduled_at timestamptz NOT NULL,
    run_id bigint NOT NULL,
    position smallint NOT NULL,
    -- What became of the slot: of its latest run that has ended, upstream_run_id, or NO_RUN.
    outcome text,
    upstream_run_id bigint,
    CONSTRAINT pk_task_run_wait_slots PRIMARY KEY (upstream_task_id, scheduled_at, run_id, position),
    CONSTRAINT ck_task_run_wait_slots_outcome CHECK (outcome IN ('SUCCESS', 'FAILURE', 'SKIPPED', 'NO_RUN'))
);
CREATE INDEX idx_task_run_wait_slots_run_id ON scheduler.task_run_wait_slots (run_id, position);

-- Which dispatchers there are: each keeps its own row fresh.
CREATE TABLE scheduler.dispatchers (
    id bigint GENERATED BY DEFAULT AS IDENTITY,
    hostname text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    started_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- What is wrong with its message queue; NULL: nothing.
    queue_error text,
    CONSTRAINT pk_dispatchers PRIMARY KEY (id)
) WITH (fillfactor = 50);
"""

DOWNGRADE = """
DROP TABLE scheduler.dispatchers;
DELETE FROM scheduler.task_run_dependencies WHERE given;
ALTER TABLE scheduler.task_run_dependencies DROP COLUMN tolerant, DROP COLUMN given;
DROP INDEX scheduler.idx_task_runs_task_id_scheduled_at;
DROP INDEX scheduler.idx_task_runs_broadcast_id;
DROP INDEX scheduler.idx_task_runs_group_waiting;
DROP INDEX scheduler.idx_task_runs_stale_id;
DROP INDEX scheduler.idx_task_runs_expands_not_before;
DROP INDEX scheduler.idx_task_runs_group_id;
-- What only 0003 can make runnable, or counts, would wait for ever, or would run although it must not.
UPDATE scheduler.task_runs
SET status = 'CANCELLED', completed_at = clock_timestamp(), held = false,
    error = 'Cancelled: the schema went back to version 0002.'
WHERE status = 'PENDING' AND (expands OR trigger_rule IS NOT NULL OR group_size IS NOT NULL
        OR upstream_skips > 0 OR upstream_failures > 0
        OR id IN (SELECT run_id FROM scheduler.task_run_waits WHERE state IN ('OPEN', 'OVERDUE')))
    OR status IN ('PENDING', 'DISPATCHED') AND (group_id IS NOT NULL OR left(queue, 1) = '@');
-- No worker of 0002 would take such a run up again when its worker is lost, or when it is tried again.
UPDATE scheduler.task_runs AS run
SET queue = version.queue
FROM scheduler.task_versions AS version
WHERE version.id = run.task_version_id AND run.status = 'RUNNING' AND left(run.queue, 1) = '@';
-- To 0002 these tasks would be others, or nothing that it can run.
CREATE TEMPORARY TABLE foreign_tasks ON COMMIT DROP AS
SELECT tasks.id
FROM scheduler.tasks
JOIN scheduler.task_versions AS version ON version.id = tasks.task_version_id
WHERE tasks.status = 'ACTIVE'
  AND (version.task_type = 'flow' OR version.flow_options <> '{}'
       OR jsonb_path_exists(version.dependencies, '$[*] ? (@.type() == "object")'));
UPDATE scheduler.tasks SET status = 'PAUSED', updated_at = clock_timestamp()
WHERE id IN (SELECT id FROM foreign_tasks);
UPDATE scheduler.schedules SET next_due_at = NULL WHERE task_id IN (SELECT id FROM foreign_tasks);
UPDATE scheduler.task_runs SET status = 'PENDING', held = true
WHERE task_id IN (SELECT id FROM foreign_tasks) AND status IN ('PENDING', 'DISPATCHED');
UPDATE scheduler.task_versions
SET dependencies = jsonb_path_query_array(dependencies, '$[*] ? (@.type() == "string")')
WHERE jsonb_path_exists(dependencies, '$[*] ? (@.type() == "object")');
UPDATE scheduler.task_runs SET waiting_on = 0 WHERE status = 'FAILED' AND waiting_on > 0;
DROP TABLE scheduler.task_run_wait_slots;
DROP TABLE scheduler.task_run_waits;
ALTER TABLE scheduler.task_runs
    DROP CONSTRAINT ck_task_runs_skip_reason,
    DROP CONSTRAINT ck_task_runs_admitted_waits_for_nothing,
    ADD CONSTRAINT ck_task_runs_admitted_waits_for_nothing
        CHECK (waiting_on >= 0 AND (waiting_on = 0 OR status IN ('PENDING', 'CANCELLED', 'SKIPPED'))),
    DROP COLUMN trigger_rule, DROP COLUMN upstreams, DROP COLUMN upstream_successes, DROP COLUMN upstream_failures,
    DROP COLUMN upstream_skips, DROP COLUMN expands, DROP COLUMN group_id, DROP COLUMN group_size,
    DROP COLUMN shard_index, DROP COLUMN shard_total, DROP COLUMN item, DROP COLUMN skip_reason,
    DROP COLUMN stale_since, DROP COLUMN stale_run_id;
DROP TABLE scheduler.task_links;
ALTER TABLE scheduler.task_versions DROP COLUMN flow_options, DROP COLUMN parameters_schema;
"""


def upgrade() -> None:
    """Add columns and tables; what version 0002 reads or writes keeps its meaning."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Remove them; what 0002 cannot carry out is cancelled or paused before."""
    op.execute(DOWNGRADE)
