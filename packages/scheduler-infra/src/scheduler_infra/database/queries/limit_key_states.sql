-- How these keys stand. Permits count while their run is RUNNING that attempt.
SELECT key.id, coalesce(%(now)s::timestamptz, clock_timestamp()) AS now, limits.concurrent, limits.rate,
       limits.rate_seconds, limits.burst, key.tokens, key.refilled_at,
       (SELECT count(*)
        FROM scheduler.task_run_permits AS permit
        JOIN scheduler.task_runs AS run
            ON run.id = permit.run_id AND run.attempt = permit.attempt AND run.status = 'RUNNING'
        WHERE permit.limit_key_id = key.id) AS running
FROM scheduler.limit_keys AS key
JOIN scheduler.limits ON limits.id = key.limit_id
WHERE key.id = ANY(%(key_ids)s::bigint[])
ORDER BY key.id
