"""Workers: time-outs of runs, pausing, progress, lines of output, and what a worker says of its host."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UPGRADE = """
ALTER TABLE scheduler.task_versions ADD COLUMN run_options jsonb NOT NULL DEFAULT '{}';

ALTER TABLE scheduler.task_runs
    -- When a run that has never been started is given up; when the last of its attempts is to have ended.
    ADD COLUMN start_before timestamptz,
    ADD COLUMN end_before timestamptz,
    -- What its version says of both, so that no statement of the hot path has to read the version.
    ADD COLUMN queue_timeout_seconds double precision,
    ADD COLUMN total_timeout_seconds double precision,
    -- What was asked for, and since when the job really stands still.
    ADD COLUMN pause_requested boolean,
    ADD COLUMN paused_at timestamptz,
    -- What the job last said of itself: share, text, metrics.
    ADD COLUMN progress jsonb,
    DROP CONSTRAINT ck_task_runs_skip_reason,
    ADD CONSTRAINT ck_task_runs_skip_reason CHECK (skip_reason IN ('UPSTREAM_FAILED', 'UPSTREAM_SKIPPED', 'RULE_UNMET',
        'WHEN_FALSE', 'DEPENDENCY_UNMET', 'GROUP_FAILED', 'WORKER_GONE', 'JOB_ASKED'));
-- Not implied by any status, so that no claim is ever planned over it.
CREATE INDEX idx_task_runs_start_before ON scheduler.task_runs (start_before)
    WHERE start_before IS NOT NULL AND CASE status WHEN 'PENDING' THEN true WHEN 'DISPATCHED' THEN true ELSE false END;

ALTER TABLE scheduler.task_run_logs
    -- Milliseconds after logged_at of each line that begins in the piece, and its place in the output of its attempt.
    ADD COLUMN line_offsets integer[],
    ADD COLUMN first_line bigint,
    ADD COLUMN first_byte bigint;

ALTER TABLE scheduler.worker_sessions
    ADD COLUMN drain_requested boolean NOT NULL DEFAULT false,
    ADD COLUMN load jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN python_version text NOT NULL DEFAULT '',
    -- Said by the worker: one of an earlier version claims what is DISPATCHED, and knows of no grants.
    ADD COLUMN takes_grants boolean NOT NULL DEFAULT false;

-- Waiting runs of streams that sessions may take, named by a dispatcher. The runs themselves are not written for that,
-- and say by their status and stream whether a grant still holds.
CREATE TABLE scheduler.run_grants (
    session_id bigint NOT NULL,
    stream_id bigint NOT NULL,
    granted_at timestamptz NOT NULL,
    run_ids bigint[] NOT NULL,
    CONSTRAINT pk_run_grants PRIMARY KEY (session_id, stream_id, granted_at)
);
-- What is granted to sessions that take runs, and not taken yet. OFFSET keeps it to one look by key for each run,
-- whatever the statistics of these fast-changing tables say.
CREATE VIEW scheduler.granted_runs AS
SELECT run_grants.session_id, run_grants.stream_id, run_grants.granted_at, run.id, run.claim_at, run.queue,
       run.task_type
FROM scheduler.run_grants
JOIN scheduler.worker_sessions AS session
    ON session.id = run_grants.session_id AND session.state = 'ALIVE' AND NOT session.draining
CROSS JOIN LATERAL unnest(run_grants.run_ids) AS named(run_id)
CROSS JOIN LATERAL (
    SELECT task_runs.id, task_runs.claim_at, task_runs.queue, task_runs.task_type
    FROM scheduler.task_runs
    WHERE task_runs.id = named.run_id
      AND CASE task_runs.status WHEN 'PENDING' THEN task_runs.stream_id = run_grants.stream_id ELSE false END
    OFFSET 0
) AS run;
"""

DOWNGRADE = """
DROP VIEW scheduler.granted_runs;
DROP TABLE scheduler.run_grants;
ALTER TABLE scheduler.worker_sessions
    DROP COLUMN drain_requested, DROP COLUMN load, DROP COLUMN python_version, DROP COLUMN takes_grants;
ALTER TABLE scheduler.task_run_logs DROP COLUMN line_offsets, DROP COLUMN first_line, DROP COLUMN first_byte;
DROP INDEX scheduler.idx_task_runs_start_before;
UPDATE scheduler.task_runs SET skip_reason = NULL WHERE status = 'SKIPPED' AND skip_reason = 'JOB_ASKED';
ALTER TABLE scheduler.task_runs
    DROP CONSTRAINT ck_task_runs_skip_reason,
    ADD CONSTRAINT ck_task_runs_skip_reason CHECK (skip_reason IN ('UPSTREAM_FAILED', 'UPSTREAM_SKIPPED', 'RULE_UNMET',
        'WHEN_FALSE', 'DEPENDENCY_UNMET', 'GROUP_FAILED', 'WORKER_GONE')),
    DROP COLUMN start_before, DROP COLUMN end_before, DROP COLUMN queue_timeout_seconds,
    DROP COLUMN total_timeout_seconds, DROP COLUMN pause_requested, DROP COLUMN paused_at, DROP COLUMN progress;
-- Version 0005 reads no policy with a field that it does not know. It has one wait that grows, and tries all failures
-- again.
UPDATE scheduler.task_versions
SET retry = retry - '{delays,on_exit_codes,on_statuses,on_exceptions,on_output}'::text[]
WHERE retry ?| '{delays,on_exit_codes,on_statuses,on_exceptions,on_output}'::text[];
ALTER TABLE scheduler.task_versions DROP COLUMN run_options;
"""


def upgrade() -> None:
    """Add the columns; what version 0005 reads or writes keeps its meaning."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Remove them."""
    op.execute(DOWNGRADE)
