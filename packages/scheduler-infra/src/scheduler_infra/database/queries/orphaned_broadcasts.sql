-- Runs meant for one worker that nobody has begun, and whose worker has had no live session for so many seconds. Locked.
SELECT run.id
FROM scheduler.task_runs AS run
WHERE left(run.queue, 1) = '@' AND run.status IN ('PENDING', 'DISPATCHED') AND run.waiting_on = 0
  AND NOT EXISTS (
      SELECT FROM scheduler.worker_sessions AS session
      WHERE session.worker_id = substr(run.queue, 2)
        AND (session.state = 'ALIVE'
             OR session.ended_at > coalesce(%(now)s::timestamptz, clock_timestamp()) - %(patience)s * interval '1 second'))
ORDER BY run.id
LIMIT %(limit)s
FOR NO KEY UPDATE SKIP LOCKED
