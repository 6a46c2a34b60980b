-- Of the given runs those that have not ended: locked until commit, and marked so that their end will be settled. Those
-- that are marked already are not written again: each slot of a long queue would write all that stand before it.
WITH locked AS MATERIALIZED (
    SELECT run.id, run.task_id, run.status, run.needs_settlement
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(%(run_ids)s::bigint[])
    ORDER BY run.id
    FOR NO KEY UPDATE
), active AS MATERIALIZED (
    SELECT id, task_id, needs_settlement FROM locked WHERE status IN ('PENDING', 'DISPATCHED', 'RUNNING')
), marked AS (
    UPDATE scheduler.task_runs AS run
    SET needs_settlement = true
    WHERE run.id = ANY(ARRAY(SELECT id FROM active WHERE NOT needs_settlement))
)
SELECT id AS run_id, task_id FROM active
