-- Runs that have ended and are settled, although a schedule with a fixed delay still waits for them: a part of version
-- 0001, which knows of no such schedules, has settled them. A paused task's schedule waits for its resume.
SELECT run.id
FROM scheduler.schedules
JOIN scheduler.tasks ON tasks.id = schedules.task_id AND tasks.status = 'ACTIVE'
JOIN scheduler.task_runs AS run ON run.id = schedules.awaits_run_id
WHERE schedules.awaits_run_id IS NOT NULL
  AND schedules.schedule ->> 'after_end' IS NOT NULL
  AND NOT run.needs_settlement
  AND run.status NOT IN ('PENDING', 'DISPATCHED', 'RUNNING')
ORDER BY run.id
LIMIT %(limit)s
