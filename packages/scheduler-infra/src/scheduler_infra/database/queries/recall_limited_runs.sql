-- Runs that are sorted by a key of these limits and have not been claimed are to be sorted anew: none of them is claimable
-- any more when this is committed. The caller holds the window, so that none is sorted meanwhile, and their tasks.
WITH locked AS MATERIALIZED (
    SELECT run.id
    FROM scheduler.task_runs AS run
    WHERE run.status IN ('PENDING', 'DISPATCHED')
      AND run.stream_id = ANY(ARRAY(
          SELECT stream.id
          FROM scheduler.dispatch_streams AS stream
          WHERE stream.limit_key_ids && ARRAY(SELECT key.id FROM scheduler.limit_keys AS key
                                              WHERE key.limit_id = ANY(%(limit_ids)s::bigint[]))))
    ORDER BY run.id
    FOR NO KEY UPDATE
)
UPDATE scheduler.task_runs
SET status = 'PENDING', stream_id = NULL, limit_key_ids = NULL, assigned_to = NULL, offered_at = NULL
WHERE id = ANY(ARRAY(SELECT id FROM locked))
