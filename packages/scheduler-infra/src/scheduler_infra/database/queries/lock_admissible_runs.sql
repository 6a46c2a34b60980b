-- PENDING runs with nothing left to wait for, oldest first, locked with their tasks until the commit, and the facts that
-- their admission is decided from: what is decided is still true when it is written. The conditions on candidates, which
-- leave out what is held, has to be expanded or takes its turn, only spare work: of any PENDING run the facts decide. Lock order: tasks,
-- then runs. Runs that another dispatcher holds, and those of tasks that are being changed, are stepped over: one slow
-- change does not keep the runs of all others waiting.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), candidate AS MATERIALIZED (
    SELECT run.id, run.task_id
    FROM scheduler.task_runs AS run
    WHERE run.status = 'PENDING' AND run.waiting_on = 0 AND NOT run.held
      AND run.not_before <= (SELECT now FROM moment) AND run.expands IS NOT TRUE AND run.gated IS NOT TRUE
    ORDER BY run.not_before, run.id
    LIMIT %(limit)s
), task AS MATERIALIZED (
    SELECT tasks.id, tasks.status
    FROM scheduler.tasks
    WHERE tasks.id = ANY(ARRAY(SELECT task_id FROM candidate))
    ORDER BY tasks.id
    FOR SHARE SKIP LOCKED
), due AS MATERIALIZED (
    SELECT run.id, run.task_id, run.status, run.waiting_on, run.held, run.not_before, run.attempt, run.expands,
           run.gated, run.group_size
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(ARRAY(SELECT id FROM candidate)) AND (SELECT count(*) FROM task) >= 0
    ORDER BY run.id
    FOR NO KEY UPDATE SKIP LOCKED
)
SELECT due.id, task.status AS task_status, due.not_before <= moment.now AS is_due, due.held AS is_held, due.attempt,
       due.waiting_on AS unaccounted, due.group_size IS NOT NULL AS is_group, coalesce(due.expands, false) AS expands
FROM due
CROSS JOIN moment
JOIN task ON task.id = due.task_id
WHERE due.status = 'PENDING' AND due.gated IS NOT TRUE
ORDER BY due.not_before, due.id
