-- PENDING runs with nothing left to wait for become claimable, oldest first. A paused task's are put aside (held),
-- a deleted task's are cancelled. Lock order: tasks, then runs. Runs that another dispatcher holds, and those of tasks
-- that are being changed, are stepped over: one slow change does not keep the runs of all others waiting.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), candidate AS MATERIALIZED (
    SELECT run.id, run.task_id
    FROM scheduler.task_runs AS run
    WHERE run.status = 'PENDING' AND run.waiting_on = 0 AND NOT run.held
      AND run.not_before <= (SELECT now FROM moment)
    ORDER BY run.not_before, run.id
    LIMIT %(limit)s
), task AS MATERIALIZED (
    SELECT tasks.id, tasks.status
    FROM scheduler.tasks
    WHERE tasks.id = ANY(ARRAY(SELECT task_id FROM candidate))
    ORDER BY tasks.id
    FOR SHARE SKIP LOCKED
), due AS MATERIALIZED (
    SELECT locked.id, locked.task_id
    FROM (
        SELECT run.id, run.task_id, run.status, run.waiting_on, run.held
        FROM scheduler.task_runs AS run
        WHERE run.id = ANY(ARRAY(SELECT id FROM candidate)) AND (SELECT count(*) FROM task) >= 0
        ORDER BY run.id
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS locked
    WHERE locked.status = 'PENDING' AND locked.waiting_on = 0 AND NOT locked.held
)
UPDATE scheduler.task_runs AS run
SET status = CASE task.status WHEN 'ACTIVE' THEN 'DISPATCHED' WHEN 'PAUSED' THEN 'PENDING' ELSE 'CANCELLED' END,
    held = (task.status = 'PAUSED'),
    completed_at = CASE WHEN task.status = 'INACTIVE' THEN moment.now END,
    error = CASE WHEN task.status = 'INACTIVE' THEN 'The task was deleted before this run started.' ELSE run.error END
FROM due
JOIN task ON task.id = due.task_id
CROSS JOIN moment
WHERE run.id = due.id
RETURNING run.id, run.flow_id, run.task_id, run.status, run.queue, run.task_type, run.scheduled_at
