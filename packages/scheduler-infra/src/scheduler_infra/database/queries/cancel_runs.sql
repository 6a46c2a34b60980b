-- Runs that nobody executes are CANCELLED at once; a RUNNING one is flagged for its worker; final ones stay. A group that
-- has its runs is flagged, too: it ends when they have ended, who are to be cancelled after it (`is_group`).
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), locked AS MATERIALIZED (
    SELECT run.id, run.status,
           run.status = 'RUNNING' OR (run.status = 'PENDING' AND coalesce(run.group_size, 0) > 0) AS ends_later,
           coalesce(run.group_size, 0) > 0 AS is_group
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(%(run_ids)s::bigint[])
    ORDER BY run.id
    FOR NO KEY UPDATE
), changed AS (
    UPDATE scheduler.task_runs AS run
    SET status = CASE WHEN locked.ends_later THEN run.status ELSE 'CANCELLED' END,
        completed_at = CASE WHEN NOT locked.ends_later THEN moment.now END,
        error = CASE WHEN locked.ends_later THEN run.error ELSE 'Cancelled before it started.' END,
        cancel_requested = true
    FROM locked
    CROSS JOIN moment
    WHERE run.id = ANY(ARRAY(SELECT id FROM locked WHERE status IN ('PENDING', 'DISPATCHED', 'RUNNING')))
      AND run.id = locked.id
    RETURNING run.id, run.status
)
SELECT locked.id AS run_id, coalesce(changed.status, locked.status) AS status, locked.is_group
FROM locked
LEFT JOIN changed ON changed.id = locked.id
ORDER BY locked.id
