-- Schedules whose next slot is due and which no other dispatcher holds, oldest slot first, locked until commit.
-- The clock is read once, in an init plan: as a volatile call it would keep the planner from using the index.
SELECT task_id, schedule, next_due_at, coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
FROM scheduler.schedules
WHERE next_due_at <= (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()))
ORDER BY next_due_at, task_id
LIMIT %(limit)s
FOR NO KEY UPDATE SKIP LOCKED
