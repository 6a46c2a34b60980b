-- Locks keys of a task, new ones too, in ascending order. What they stand for is read by the next statement: only that
-- sees what those who held a lock before have written.
INSERT INTO scheduler.task_unique_keys AS held (task_id, key, run_id, created_at)
SELECT %(task_id)s, wanted.key, 0, coalesce(%(now)s::timestamptz, clock_timestamp())
FROM unnest(%(keys)s::text[]) AS wanted(key)
ORDER BY wanted.key
ON CONFLICT (task_id, key) DO UPDATE SET run_id = held.run_id
