-- These tasks use exactly the named limits of their namespaces afterwards. Returns names that no limit has.
-- The limits are locked, in ascending order, against being deleted until the commit; who deletes one holds it against
-- this lock and looks for its tasks afterwards. So either the task is seen, and the limit stays, or its name is missing
-- here. It comes after the tasks' own locks: schedules, tasks, runs, limits.
WITH wanted AS MATERIALIZED (
    SELECT wish.task_id, wish.namespace, wish.name
    FROM unnest(%(task_ids)s::bigint[], %(namespaces)s::text[], %(names)s::text[]) AS wish(task_id, namespace, name)
), locked AS MATERIALIZED (
    SELECT limits.id, limits.namespace, limits.name
    FROM scheduler.limits
    WHERE (limits.namespace, limits.name) IN (SELECT wanted.namespace, wanted.name FROM wanted)
    ORDER BY limits.id
    FOR KEY SHARE
), named AS MATERIALIZED (
    SELECT wanted.task_id, wanted.namespace, wanted.name, locked.id AS limit_id
    FROM wanted
    LEFT JOIN locked ON locked.namespace = wanted.namespace AND locked.name = wanted.name
), removed AS (
    DELETE FROM scheduler.task_limits AS link
    WHERE link.task_id = ANY(%(owners)s::bigint[])
      AND NOT EXISTS (SELECT FROM named WHERE named.task_id = link.task_id AND named.limit_id = link.limit_id)
), added AS (
    INSERT INTO scheduler.task_limits (task_id, limit_id)
    SELECT DISTINCT task_id, limit_id FROM named WHERE limit_id IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT DISTINCT namespace, name FROM named WHERE limit_id IS NULL ORDER BY namespace, name
