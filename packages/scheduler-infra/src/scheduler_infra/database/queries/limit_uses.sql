-- The keys of a limit that have runs, or whose rate was drawn from, those with most waiting runs first, then those with
-- most others, then those with fewest starts left when last drawn from.
WITH key AS MATERIALIZED (
    SELECT key.id, key.key, key.tokens, key.refilled_at
    FROM scheduler.limit_keys AS key
    WHERE key.limit_id = %(limit_id)s
), held AS (
    SELECT permit.limit_key_id, count(*) AS running,
           (array_agg(run.id ORDER BY run.started_at, run.id))[1:%(holders)s] AS holders
    FROM key
    JOIN scheduler.task_run_permits AS permit ON permit.limit_key_id = key.id
    JOIN scheduler.task_runs AS run
        ON run.id = permit.run_id AND run.attempt = permit.attempt AND run.status = 'RUNNING'
    GROUP BY permit.limit_key_id
), queued AS (
    SELECT key.id AS limit_key_id, sum(waiting.runs)::bigint AS waiting, sum(claimable.runs)::bigint AS claimable
    FROM scheduler.dispatch_streams AS stream
    CROSS JOIN LATERAL unnest(stream.limit_key_ids) AS used(id)
    JOIN key ON key.id = used.id
    CROSS JOIN LATERAL (SELECT count(*) AS runs FROM scheduler.task_runs AS run
                        WHERE run.stream_id = stream.id AND run.status = 'PENDING') AS waiting
    CROSS JOIN LATERAL (SELECT count(*) AS runs FROM scheduler.task_runs AS run
                        WHERE run.stream_id = stream.id AND run.status = 'DISPATCHED') AS claimable
    GROUP BY key.id
)
SELECT key.id, key.key, key.tokens, key.refilled_at, limits.rate, limits.rate_seconds, limits.burst,
       coalesce(%(now)s::timestamptz, clock_timestamp()) AS now,
       coalesce(held.running, 0) AS running, coalesce(queued.claimable, 0) AS claimable,
       coalesce(queued.waiting, 0) AS waiting, coalesce(held.holders, '{}') AS holders
FROM key
JOIN scheduler.limits ON limits.id = %(limit_id)s
LEFT JOIN held ON held.limit_key_id = key.id
LEFT JOIN queued ON queued.limit_key_id = key.id
WHERE held.running > 0 OR queued.waiting > 0 OR queued.claimable > 0
   OR (limits.rate IS NOT NULL AND key.tokens IS NOT NULL)
ORDER BY coalesce(queued.waiting, 0) DESC, coalesce(held.running, 0) + coalesce(queued.claimable, 0) DESC, key.tokens,
         key.key
LIMIT %(limit)s
