-- Locks these limits against everybody until the commit: no task begins to name them. A statement after this one sees
-- which tasks name them.
SELECT id, namespace, name
FROM scheduler.limits
WHERE id = ANY(%(limit_ids)s::bigint[])
ORDER BY id
FOR UPDATE
