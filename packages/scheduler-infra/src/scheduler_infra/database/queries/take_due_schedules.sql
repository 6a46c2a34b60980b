-- Schedules whose next slot is due and which no other dispatcher holds, oldest slot first, locked until commit.
-- The clock is read once, in an init plan: as a volatile call it would keep the planner from using the index.
-- Locked first and looked up one by one afterwards (LIMIT 1 sees to it): however many tasks there are, and whatever the
-- planner believes of them, only due ones are looked at.
WITH due AS MATERIALIZED (
    SELECT task_id, schedule, next_due_at, coalesce(last_slot_at, recorded_from) AS recorded_until
    FROM scheduler.schedules
    WHERE next_due_at <= (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()))
    ORDER BY next_due_at, task_id
    LIMIT %(limit)s
    FOR NO KEY UPDATE SKIP LOCKED
)
SELECT due.task_id, due.schedule, task.seed, due.recorded_until, due.next_due_at,
       task.misfire, task.misfire_grace_seconds, task.misfire_runs_max, task.overlap,
       coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
FROM due
CROSS JOIN LATERAL (
    SELECT tasks.schedule_seed AS seed, version.misfire, version.misfire_grace_seconds, version.misfire_runs_max,
           version.overlap
    FROM scheduler.tasks
    JOIN scheduler.task_versions AS version ON version.id = tasks.task_version_id
    WHERE tasks.id = due.task_id
    LIMIT 1
) AS task
ORDER BY due.next_due_at, due.task_id
