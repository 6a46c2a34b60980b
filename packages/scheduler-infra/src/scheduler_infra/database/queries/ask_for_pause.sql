-- Asks that these runs stand still, or go on: a flag for their workers, on those only that are running and not being
-- cancelled. All that exist are answered with where they stand, locked until then; `session_id` is who holds them.
WITH locked AS MATERIALIZED (
    SELECT run.id, run.status, run.session_id, run.cancel_requested
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(%(run_ids)s::bigint[])
    ORDER BY run.id
    FOR NO KEY UPDATE
), changed AS (
    UPDATE scheduler.task_runs AS run
    SET pause_requested = nullif(%(pause)s, false)
    WHERE run.id = ANY(ARRAY(SELECT id FROM locked WHERE status = 'RUNNING' AND NOT (%(pause)s AND cancel_requested)))
      AND run.pause_requested IS DISTINCT FROM nullif(%(pause)s, false)
)
SELECT id AS run_id, status, session_id, cancel_requested FROM locked ORDER BY id
