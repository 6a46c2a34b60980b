-- Locks all keys of these limits until the commit: no permit is given out meanwhile, and who waits for a key judges by what
-- is committed. Claims take their keys in the same order and mode, and so does everybody wait in line: a lock on the limit's
-- own row, which claims would have to share, would be passed from one claim to the next and never come free under load.
-- Lock order: window, schedules, tasks, runs, limit keys, limits.
SELECT id
FROM scheduler.limit_keys
WHERE limit_id = ANY(%(limit_ids)s::bigint[])
ORDER BY id
FOR UPDATE
