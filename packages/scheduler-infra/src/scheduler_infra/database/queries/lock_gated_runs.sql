-- PENDING gated runs with nothing left to wait for but their turn, oldest first, locked with their tasks until the commit:
-- the facts that their admission is decided from, and all that their keys may be evaluated from. The limits that a task
-- names are those of its version. Lock order: tasks, then runs. Runs and tasks that others hold are stepped over.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), candidate AS MATERIALIZED (
    SELECT run.id, run.task_id
    FROM scheduler.task_runs AS run
    WHERE run.status = 'PENDING' AND run.waiting_on = 0 AND NOT run.held AND run.gated AND run.stream_id IS NULL
      AND run.not_before <= (SELECT now FROM moment) AND run.expands IS NOT TRUE
      AND run.task_version_id <> ALL(%(but)s::bigint[])
      AND (%(only)s::bigint[] IS NULL OR run.task_version_id = ANY(%(only)s::bigint[]))
    ORDER BY run.not_before, run.id
    LIMIT %(limit)s
), task AS MATERIALIZED (
    SELECT tasks.id, tasks.name, tasks.status
    FROM scheduler.tasks
    WHERE tasks.id = ANY(ARRAY(SELECT task_id FROM candidate))
    ORDER BY tasks.id
    FOR SHARE SKIP LOCKED
), due AS MATERIALIZED (
    SELECT run.*
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(ARRAY(SELECT id FROM candidate)) AND (SELECT count(*) FROM task) >= 0
    ORDER BY run.id
    FOR NO KEY UPDATE SKIP LOCKED
), version AS MATERIALIZED (
    SELECT version.id, version.parameters, version.dispatch_options,
           coalesce(named.ids, '{}') AS limit_ids, coalesce(named.names, '{}') AS limit_names,
           coalesce(named.keys, '{}') AS limit_keys
    FROM scheduler.task_versions AS version
    JOIN scheduler.tasks ON tasks.id = version.task_id
    CROSS JOIN LATERAL (
        SELECT array_agg(limits.id ORDER BY limits.id) AS ids, array_agg(limits.name ORDER BY limits.id) AS names,
               array_agg(limits.key ORDER BY limits.id) AS keys
        FROM scheduler.limits
        WHERE limits.namespace = tasks.namespace
          AND limits.name IN (SELECT jsonb_array_elements_text(version.dispatch_options -> 'limits'))
    ) AS named
    WHERE version.id = ANY(ARRAY(SELECT task_version_id FROM due))
)
SELECT due.id, due.task_id, due.task_version_id, task.name AS task_name, due.namespace, due.queue, due.task_type, due.priority,
       CASE WHEN due.parameters IS NULL THEN version.parameters ELSE version.parameters || due.parameters END
           AS parameters,
       version.dispatch_options AS options, coalesce(due.background, false) AS is_background, due.item,
       due.item IS NOT NULL AS has_item, due.shard_index, due.shard_total, due.scheduled_at, due.attempt, due.flow_id,
       version.limit_ids, version.limit_names, version.limit_keys,
       task.status AS task_status, due.not_before <= moment.now AS is_due, due.held AS is_held,
       due.waiting_on AS unaccounted, due.group_size IS NOT NULL AS is_group
FROM due
CROSS JOIN moment
JOIN task ON task.id = due.task_id
JOIN version ON version.id = due.task_version_id
WHERE due.status = 'PENDING' AND due.gated AND due.stream_id IS NULL AND due.expands IS NOT TRUE
ORDER BY due.not_before, due.id
