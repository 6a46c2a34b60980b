-- Locks up to `limit` keys that no stream names, in ascending order, whose buckets are full and of which no run holds a
-- permit; those that others hold are stepped over. Only a statement after this one sees what former holders of the locks
-- have written. The window is held, so that no new stream names any of them.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), unnamed AS MATERIALIZED (
    -- A difference of sets: whatever the statistics say, its cost is the number of keys and streams.
    SELECT id FROM scheduler.limit_keys
    EXCEPT
    SELECT unnest(limit_key_ids) FROM scheduler.dispatch_streams
)
SELECT key.id
FROM scheduler.limit_keys AS key
JOIN scheduler.limits ON limits.id = key.limit_id
CROSS JOIN moment
WHERE key.id = ANY(ARRAY(SELECT id FROM unnamed))
  AND scheduler.tokens_left(key.tokens, key.refilled_at, limits.rate, limits.rate_seconds, limits.burst, moment.now) IS NULL
  AND NOT EXISTS (SELECT FROM scheduler.task_run_permits AS permit
                  JOIN scheduler.task_runs AS run
                      ON run.id = permit.run_id AND run.attempt = permit.attempt AND run.status = 'RUNNING'
                  WHERE permit.limit_key_id = key.id)
ORDER BY key.id
LIMIT %(limit)s
FOR UPDATE OF key SKIP LOCKED
