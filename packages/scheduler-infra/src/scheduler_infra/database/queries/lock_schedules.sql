-- Locks schedules, then tasks, for a change, and says where the schedules stand and what time it is now: the clock is
-- read after the locks were waited for, so that no slot falls due between this answer and what is written by it.
-- A schedule that a task is given while its lock is waited for is not seen: the caller looks at the task afterwards.
WITH schedule AS MATERIALIZED (
    SELECT task_id, schedule, coalesce(last_slot_at, recorded_from) AS recorded_until, next_due_at, awaits_run_id
    FROM scheduler.schedules
    WHERE task_id = ANY(%(task_ids)s)
    ORDER BY task_id
    FOR NO KEY UPDATE
), seen AS MATERIALIZED (
    SELECT count(*) AS schedules FROM schedule
), task AS MATERIALIZED (
    SELECT id, status, schedule_seed
    FROM scheduler.tasks
    WHERE id = ANY(%(task_ids)s) AND (SELECT schedules FROM seen) >= 0
    ORDER BY id
    FOR NO KEY UPDATE
)
SELECT schedule.task_id, schedule.schedule, task.schedule_seed AS seed, task.status AS task_status,
       schedule.recorded_until, schedule.next_due_at, schedule.awaits_run_id,
       coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
FROM schedule
JOIN task ON task.id = schedule.task_id
ORDER BY schedule.task_id
