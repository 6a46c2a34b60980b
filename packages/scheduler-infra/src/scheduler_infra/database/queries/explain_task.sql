-- A task: where its schedule stands, whether others start it, its newest runs that have not begun, and the first that
-- has not ended.
SELECT tasks.id AS task_id,
       CASE WHEN tasks.updated_at > present.created_at THEN tasks.updated_at END AS status_since, schedules.schedule, tasks.schedule_seed AS seed,
       EXISTS (SELECT FROM scheduler.task_dependencies AS edge WHERE edge.task_id = tasks.id) AS has_upstream,
       coalesce(schedules.last_slot_at, schedules.recorded_from) AS recorded_until, schedules.next_due_at,
       schedules.awaits_run_id, waiting.runs AS waiting_runs,
       ARRAY(SELECT run.id FROM scheduler.task_runs AS run
             WHERE run.task_id = tasks.id
               AND CASE run.status WHEN 'PENDING' THEN true WHEN 'DISPATCHED' THEN true ELSE false END
             ORDER BY run.id DESC LIMIT %(shown)s) AS waiting_run_ids,
       ARRAY(SELECT user_task.name FROM scheduler.task_links AS link
             JOIN scheduler.tasks AS user_task ON user_task.id = link.task_id AND user_task.status <> 'INACTIVE'
             WHERE link.other_task_id = tasks.id AND link.kind = 'SUB_FLOW'
             ORDER BY user_task.name LIMIT %(shown)s) AS sub_flow_of,
       ARRAY(SELECT run.id FROM scheduler.task_runs AS run
             WHERE run.task_id = tasks.id AND run.status IN ('PENDING', 'DISPATCHED', 'RUNNING')
             ORDER BY run.id LIMIT 1) AS active_run_ids
FROM scheduler.tasks
JOIN scheduler.task_versions AS present ON present.id = tasks.task_version_id
LEFT JOIN scheduler.schedules ON schedules.task_id = tasks.id
CROSS JOIN LATERAL (
    SELECT count(*) AS runs
    FROM scheduler.task_runs AS run
    WHERE run.task_id = tasks.id
      AND CASE run.status WHEN 'PENDING' THEN true WHEN 'DISPATCHED' THEN true ELSE false END
) AS waiting
WHERE tasks.id = %(task_id)s
