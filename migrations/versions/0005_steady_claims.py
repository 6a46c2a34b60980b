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
"""

DOWNGRADE = """
DROP INDEX scheduler.idx_task_runs_active_task_id;
CREATE INDEX idx_task_runs_active_task_id ON scheduler.task_runs (task_id) WHERE status IN ('PENDING', 'DISPATCHED');
DROP INDEX scheduler.idx_task_versions_stream_id;
ALTER TABLE scheduler.task_versions DROP COLUMN stream_id;
"""


def upgrade() -> None:
    """Add the column; what version 0004 reads or writes keeps its meaning."""
    op.execute(UPGRADE)


def downgrade() -> None:
    """Remove it."""
    op.execute(DOWNGRADE)
