"""Runs of a definition without key expressions are made in their stream; claims keep to the index of their order."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UPGRADE = """
-- The stream that all live runs of this definition are in; NULL: not known yet, or each run's keys decide.
ALTER TABLE scheduler.task_versions
    ADD COLUMN stream_id bigint,
    ADD CONSTRAINT fk_task_versions_dispatch_streams
        FOREIGN KEY (stream_id) REFERENCES scheduler.dispatch_streams (id);
CREATE INDEX idx_task_versions_stream_id ON scheduler.task_versions (stream_id) WHERE stream_id IS NOT NULL;

-- Written so that no condition on the status implies it. By statistics of a moment in which nothing waits the planner
-- would else read and sort all of this index for each claim, instead of walking the one that is in the order of claims.
DROP INDEX scheduler.idx_task_runs_active_task_id;
CREATE INDEX idx_task_runs_active_task_id ON scheduler.task_runs (task_id)
    WHERE CASE status WHEN 'PENDING' THEN true WHEN 'DISPATCHED' THEN true ELSE false END;

-- The same of a run that waits for its turn: one that has been started before keeps the age that it had then.
CREATE FUNCTION scheduler.claim_at_of(attempt integer, not_before timestamptz, scheduled_at timestamptz,
                                      created_at timestamptz, priority smallint) RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    AS 'SELECT scheduler.claim_at(CASE WHEN attempt = 0 THEN not_before ELSE greatest(scheduled_at, created_at) END,
                                  priority)';

-- How many starts a bucket has left at a moment; NULL: it is full, or there is no rate.
CREATE FUNCTION scheduler.tokens_left(tokens double precision, refilled_at timestamptz, rate integer,
                                      rate_seconds double precision, burst integer, moment timestamptz)
    RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS 'SELECT CASE WHEN rate IS NOT NULL
                    THEN nullif(least(coalesce(burst, rate),
                                      tokens + greatest(0, extract(epoch FROM moment - refilled_at))::double precision
                                               * rate / rate_seconds),
                                coalesce(burst, rate)) END';

-- Of keys that went with their limits.
DELETE FROM scheduler.task_run_permits AS permit
WHERE NOT EXISTS (SELECT FROM scheduler.limit_keys AS key WHERE key.id = permit.limit_key_id);
"""

DOWNGRADE = """
DROP FUNCTION scheduler.tokens_left;
DROP FUNCTION scheduler.claim_at_of;
DROP INDEX scheduler.idx_task_runs_active_task_id;
CREATE INDEX idx_task_runs_active_task_id ON scheduler.task_runs (task_id) WHERE status IN ('PENDING', 'DISPATCHED');
DROP INDEX scheduler.idx_task_versions_stream_id;
ALTER TABLE scheduler.task_versions DROP COLUMN stream_id;
"""


def upgrade() -> None:
    """Add the column and functions; what version 0004 reads or writes keeps its meaning."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Remove them."""
    op.execute(DOWNGRADE)
