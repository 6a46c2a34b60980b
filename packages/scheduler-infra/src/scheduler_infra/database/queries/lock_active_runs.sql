-- Of the given runs those that have not ended: locked until commit, and marked so that their end will be settled.
WITH locked AS MATERIALIZED (
    SELECT run.id, run.status
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(%(run_ids)s::bigint[])
    ORDER BY run.id
    FOR NO KEY UPDATE
)
UPDATE scheduler.task_runs AS run
SET needs_settlement = true
WHERE run.id = ANY(ARRAY(SELECT id FROM locked WHERE status IN ('PENDING', 'DISPATCHED', 'RUNNING')))
RETURNING run.id AS run_id, run.task_id
