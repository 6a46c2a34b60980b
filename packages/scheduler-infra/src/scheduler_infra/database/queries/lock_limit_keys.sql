-- Locks what the permits of these runs are given out under until the commit: their keys, in ascending order. A statement
-- after this one sees all that former holders of the locks have committed, and the limits as they are: who changes a limit
-- holds all of its keys.
-- Lock order: session, limit keys, runs.
WITH session AS MATERIALIZED (
    SELECT id
    FROM scheduler.worker_sessions
    WHERE id = %(session_id)s AND state = 'ALIVE' AND NOT drain_requested
    FOR SHARE
), wanted AS MATERIALIZED (
    SELECT DISTINCT unnest(run.limit_key_ids) AS id
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(%(run_ids)s::bigint[]) AND EXISTS (SELECT FROM session)
)
SELECT key.id
FROM scheduler.limit_keys AS key
WHERE key.id = ANY(ARRAY(SELECT id FROM wanted))
ORDER BY key.id
FOR UPDATE
