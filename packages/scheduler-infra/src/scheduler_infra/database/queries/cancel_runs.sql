-- Runs that nobody executes are CANCELLED at once; a RUNNING one is flagged for its worker; final ones stay.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), locked AS MATERIALIZED (
    SELECT run.id, run.status
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(%(run_ids)s::bigint[])
    ORDER BY run.id
    FOR NO KEY UPDATE
), changed AS (
    UPDATE scheduler.task_runs AS run
    SET status = CASE WHEN run.status = 'RUNNING' THEN 'RUNNING' ELSE 'CANCELLED' END,
        completed_at = CASE WHEN run.status = 'RUNNING' THEN NULL ELSE moment.now END,
        error = CASE WHEN run.status = 'RUNNING' THEN run.error ELSE 'Cancelled before it started.' END,
        cancel_requested = true
    FROM moment
    WHERE run.id = ANY(ARRAY(SELECT id FROM locked WHERE status IN ('PENDING', 'DISPATCHED', 'RUNNING')))
    RETURNING run.id, run.status
)
SELECT locked.id AS run_id, coalesce(changed.status, locked.status) AS status
FROM locked
LEFT JOIN changed ON changed.id = locked.id
ORDER BY locked.id
