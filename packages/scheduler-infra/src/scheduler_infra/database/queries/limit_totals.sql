-- Of every limit how many permits are held, and how many runs wait for their turn that need one.
SELECT limits.namespace, limits.name, coalesce(held.runs, 0) AS running, coalesce(queued.runs, 0) AS waiting
FROM scheduler.limits
LEFT JOIN (
    SELECT key.limit_id, count(*) AS runs
    FROM scheduler.task_run_permits AS permit
    JOIN scheduler.limit_keys AS key ON key.id = permit.limit_key_id
    JOIN scheduler.task_runs AS run
        ON run.id = permit.run_id AND run.attempt = permit.attempt AND run.status = 'RUNNING'
    GROUP BY key.limit_id
) AS held ON held.limit_id = limits.id
LEFT JOIN (
    SELECT key.limit_id, sum(waiting.runs)::bigint AS runs
    FROM scheduler.dispatch_streams AS stream
    CROSS JOIN LATERAL unnest(stream.limit_key_ids) AS used(id)
    JOIN scheduler.limit_keys AS key ON key.id = used.id
    CROSS JOIN LATERAL (SELECT count(*) AS runs FROM scheduler.task_runs AS run
                        WHERE run.stream_id = stream.id AND run.status = 'PENDING') AS waiting
    GROUP BY key.limit_id
) AS queued ON queued.limit_id = limits.id
ORDER BY limits.namespace, limits.name
