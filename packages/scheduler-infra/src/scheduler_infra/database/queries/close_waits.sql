-- Settles dependencies that the caller has locked. One that is met, or that the run goes on without, is no longer among
-- what its run waits for. Answers with the runs for which that is so and that still wait.
-- Lock order: tasks, waiting runs.
WITH closed AS MATERIALIZED (
    SELECT * FROM unnest(%(run_ids)s::bigint[], %(positions)s::integer[], %(states)s::text[])
        AS closed(run_id, position, state)
), written AS (
    UPDATE scheduler.task_run_waits AS wait
    SET state = closed.state, settled_at = coalesce(%(now)s::timestamptz, clock_timestamp())
    FROM closed
    WHERE wait.run_id = closed.run_id AND wait.position = closed.position
), tally AS MATERIALIZED (
    SELECT run_id, count(*) AS waits FROM closed WHERE state IN ('MET', 'WAIVED') GROUP BY run_id
), task AS MATERIALIZED (
    SELECT tasks.id
    FROM scheduler.tasks
    WHERE tasks.id = ANY(ARRAY(SELECT run.task_id FROM scheduler.task_runs AS run
                               WHERE run.id = ANY(ARRAY(SELECT run_id FROM tally))))
    ORDER BY tasks.id
    FOR SHARE
), waiting AS MATERIALIZED (
    SELECT run.id, run.status
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(ARRAY(SELECT run_id FROM tally)) AND (SELECT count(*) FROM task) >= 0
    ORDER BY run.id
    FOR NO KEY UPDATE
)
UPDATE scheduler.task_runs AS run
SET waiting_on = greatest(0, run.waiting_on - tally.waits)
FROM tally
JOIN waiting ON waiting.id = tally.run_id AND waiting.status = 'PENDING'
WHERE run.id = tally.run_id
RETURNING run.id
