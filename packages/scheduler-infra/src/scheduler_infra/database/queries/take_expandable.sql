-- PENDING runs of active tasks that wait for nothing but to be expanded, oldest first, locked. Runs and tasks that others
-- hold are stepped over. Lock order: tasks, then runs.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), candidate AS MATERIALIZED (
    SELECT run.id, run.task_id
    FROM scheduler.task_runs AS run
    JOIN scheduler.tasks ON tasks.id = run.task_id AND tasks.status = 'ACTIVE'
    WHERE run.status = 'PENDING' AND run.waiting_on = 0 AND run.expands AND NOT run.held
      AND run.not_before <= (SELECT now FROM moment)
    ORDER BY run.not_before, run.id
    LIMIT %(limit)s
), task AS MATERIALIZED (
    SELECT tasks.id, tasks.name, tasks.status
    FROM scheduler.tasks
    WHERE tasks.id = ANY(ARRAY(SELECT task_id FROM candidate))
    ORDER BY tasks.id
    FOR SHARE SKIP LOCKED
), run AS MATERIALIZED (
    SELECT locked.*
    FROM (
        SELECT *
        FROM scheduler.task_runs AS run
        WHERE run.id = ANY(ARRAY(SELECT id FROM candidate)) AND (SELECT count(*) FROM task) >= 0
        ORDER BY run.id
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS locked
    WHERE locked.status = 'PENDING' AND locked.waiting_on = 0 AND locked.expands AND NOT locked.held
)
SELECT run.id, run.flow_id, run.task_id, run.task_version_id, task.name AS task_name, run.namespace, run.queue,
       run.task_type, version.parameters || coalesce(run.parameters, '{}') AS parameters, version.flow_options,
       (SELECT link.other_task_id FROM scheduler.task_links AS link
        WHERE link.task_id = run.task_id AND link.kind = 'SUB_FLOW' LIMIT 1) AS sub_flow_id,
       run.scheduled_at, run.interval_from, run.interval_to
FROM run
JOIN task ON task.id = run.task_id AND task.status = 'ACTIVE'
JOIN scheduler.task_versions AS version ON version.id = run.task_version_id
ORDER BY run.id
