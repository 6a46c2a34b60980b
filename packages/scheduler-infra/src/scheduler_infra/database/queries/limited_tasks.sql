-- The tasks of all runs that are sorted by a key of these limits, in ascending order.
SELECT DISTINCT run.task_id
FROM scheduler.dispatch_streams AS stream
JOIN scheduler.task_runs AS run ON run.stream_id = stream.id AND run.status IN ('PENDING', 'DISPATCHED')
WHERE stream.limit_key_ids && ARRAY(SELECT key.id FROM scheduler.limit_keys AS key
                                    WHERE key.limit_id = ANY(%(limit_ids)s::bigint[]))
ORDER BY run.task_id
