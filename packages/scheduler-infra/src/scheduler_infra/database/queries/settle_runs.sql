-- Tells the runs that wait for the given finished ones. Each finished run is settled once, by whoever locks it first.
-- Edges are summed per waiting run before it is locked; its status is decided from the values under that lock:
-- an upstream that did not complete makes it SKIPPED, the last one that did makes it claimable.
-- Lock order: finished runs, tasks, waiting runs.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), ended AS MATERIALIZED (
    SELECT locked.id, locked.status
    FROM (
        SELECT run.id, run.status, run.needs_settlement
        FROM scheduler.task_runs AS run
        WHERE run.id = ANY(%(run_ids)s::bigint[])
        ORDER BY run.id
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS locked
    WHERE locked.needs_settlement AND locked.status NOT IN ('PENDING', 'DISPATCHED', 'RUNNING')
), settled AS (
    UPDATE scheduler.task_runs SET needs_settlement = false WHERE id = ANY(ARRAY(SELECT id FROM ended))
), tally AS MATERIALIZED (
    SELECT edge.run_id,
           count(*) AS ended,
           min(edge.upstream_run_id) FILTER (WHERE ended.status <> 'COMPLETED') AS spoiler_id,
           min(ended.status) FILTER (WHERE ended.status <> 'COMPLETED') AS spoiler_status
    FROM ended
    JOIN scheduler.task_run_dependencies AS edge ON edge.upstream_run_id = ended.id
    GROUP BY edge.run_id
), task AS MATERIALIZED (
    SELECT tasks.id, tasks.status
    FROM scheduler.tasks
    WHERE tasks.id = ANY(ARRAY(SELECT run.task_id FROM scheduler.task_runs AS run
                               WHERE run.id = ANY(ARRAY(SELECT run_id FROM tally))))
    ORDER BY tasks.id
    FOR SHARE
), waiting AS MATERIALIZED (
    SELECT run.id, run.status, run.task_id, run.waiting_on
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(ARRAY(SELECT run_id FROM tally)) AND (SELECT count(*) FROM task) >= 0
    ORDER BY run.id
    FOR NO KEY UPDATE
), verdict AS MATERIALIZED (
    SELECT waiting.id, waiting.waiting_on - tally.ended AS waiting_on, tally.spoiler_id, tally.spoiler_status,
           task.status = 'PAUSED' AS held,
           CASE
               WHEN tally.spoiler_id IS NOT NULL THEN 'SKIPPED'
               WHEN waiting.waiting_on > tally.ended OR task.status <> 'ACTIVE' THEN 'PENDING'
               ELSE 'DISPATCHED'
           END AS status
    FROM waiting
    JOIN tally ON tally.run_id = waiting.id
    JOIN task ON task.id = waiting.task_id
    WHERE waiting.status = 'PENDING'
)
UPDATE scheduler.task_runs AS run
SET status = verdict.status,
    waiting_on = verdict.waiting_on,
    held = verdict.held,
    not_before = CASE WHEN verdict.status = 'SKIPPED' THEN run.not_before ELSE moment.now END,
    completed_at = CASE WHEN verdict.status = 'SKIPPED' THEN moment.now END,
    error = CASE WHEN verdict.status = 'SKIPPED'
                 THEN format('Not run: upstream run %%s is %%s.', verdict.spoiler_id, verdict.spoiler_status)
                 ELSE run.error END
FROM verdict CROSS JOIN moment
WHERE run.id = verdict.id
RETURNING run.id, run.flow_id, run.task_id, run.status, run.queue, run.task_type, run.scheduled_at,
          run.needs_settlement
