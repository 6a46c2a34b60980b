-- Locks schedules, then tasks, for a change: the order that everybody keeps (schedules, tasks, runs).
WITH schedule AS MATERIALIZED (
    SELECT task_id FROM scheduler.schedules WHERE task_id = ANY(%(task_ids)s) ORDER BY task_id FOR NO KEY UPDATE
), seen AS MATERIALIZED (
    SELECT count(*) AS schedules FROM schedule
)
SELECT id FROM scheduler.tasks
WHERE id = ANY(%(task_ids)s) AND (SELECT schedules FROM seen) >= 0
ORDER BY id
FOR NO KEY UPDATE
