-- All tasks of a namespace that are not deleted, with their upstream tasks.
SELECT tasks.id, tasks.name, tasks.task_version_id, tasks.status,
       EXISTS (SELECT FROM scheduler.schedules WHERE schedules.task_id = tasks.id) AS has_schedule,
       ARRAY(SELECT depends_on_task_id FROM scheduler.task_dependencies AS edge
             WHERE edge.task_id = tasks.id ORDER BY depends_on_task_id) AS depends_on
FROM scheduler.tasks
WHERE tasks.namespace = %(namespace)s AND tasks.status <> 'INACTIVE'
ORDER BY tasks.id
