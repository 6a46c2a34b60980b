-- All tasks of a namespace that are not deleted, with their upstream tasks.
SELECT tasks.id, tasks.name, tasks.task_version_id, tasks.status,
       EXISTS (SELECT FROM scheduler.schedules WHERE schedules.task_id = tasks.id) AS has_schedule,
       ARRAY(SELECT depends_on_task_id FROM scheduler.task_dependencies AS edge
             WHERE edge.task_id = tasks.id ORDER BY depends_on_task_id) AS depends_on,
       (SELECT link.other_task_id FROM scheduler.task_links AS link
        WHERE link.task_id = tasks.id AND link.kind = 'SUB_FLOW' LIMIT 1) AS sub_flow_id,
       EXISTS (SELECT FROM scheduler.task_links AS link
               WHERE link.task_id = tasks.id AND link.kind = 'INTERVAL') AS has_intervals,
       EXISTS (SELECT FROM scheduler.task_links AS link
               WHERE link.other_task_id = tasks.id AND link.kind = 'INTERVAL') AS is_awaited,
       version.flow_options
FROM scheduler.tasks
JOIN scheduler.task_versions AS version ON version.id = tasks.task_version_id
WHERE tasks.namespace = %(namespace)s AND tasks.status <> 'INACTIVE'
ORDER BY tasks.id
