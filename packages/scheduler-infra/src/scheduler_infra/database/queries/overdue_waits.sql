-- Open dependencies whose deadline has passed, oldest first, locked until commit. Those that others hold are stepped
-- over: they are being met.
-- The clock is read once, in an init plan: as a volatile call it would keep the planner from using the index.
SELECT wait.run_id, wait.position, wait.dependency
FROM scheduler.task_run_waits AS wait
WHERE wait.state = 'OPEN'
  AND wait.deadline_at <= (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()))
ORDER BY wait.deadline_at, wait.run_id
LIMIT %(limit)s
FOR NO KEY UPDATE SKIP LOCKED
