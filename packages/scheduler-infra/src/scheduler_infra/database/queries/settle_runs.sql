-- Tells the runs that wait for the given finished ones. Each finished run is settled once, by whoever locks it first.
-- Edges are summed per waiting run before it is locked; its status is decided from the values under that lock:
-- an upstream that did not complete makes it SKIPPED (unless it waits for the end however that comes), the last one
-- makes it claimable, or lets it wait on for its time when that is yet to come.
-- A schedule with a fixed delay that waits for one of them is due next when its delay after that end has passed, in
-- whole seconds, and later than what is recorded, also when the clock was set back since; a paused task's stays as it is
-- until the task is resumed. It does not matter who has settled the run: version 0001 knows no fixed delay.
-- `is_later` says that something is to be done later of which no dispatcher knows yet.
-- Lock order: finished runs, schedules, tasks, waiting runs.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), final AS MATERIALIZED (
    SELECT locked.id, locked.status, locked.completed_at, locked.needs_settlement
    FROM (
        SELECT run.id, run.status, run.completed_at, run.needs_settlement
        FROM scheduler.task_runs AS run
        WHERE run.id = ANY(%(run_ids)s::bigint[])
        ORDER BY run.id
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS locked
    WHERE locked.status NOT IN ('PENDING', 'DISPATCHED', 'RUNNING')
), ended AS MATERIALIZED (
    SELECT id, status FROM final WHERE needs_settlement
), settled AS (
    UPDATE scheduler.task_runs SET needs_settlement = false WHERE id = ANY(ARRAY(SELECT id FROM ended))
), awaiting AS MATERIALIZED (
    SELECT schedules.task_id, schedules.awaits_run_id, (schedules.schedule ->> 'after_end')::integer AS delay,
           coalesce(schedules.last_slot_at, schedules.recorded_from) AS recorded_until
    FROM scheduler.schedules
    WHERE schedules.awaits_run_id = ANY(ARRAY(SELECT id FROM final))
    ORDER BY schedules.task_id
    FOR NO KEY UPDATE
), tally AS MATERIALIZED (
    SELECT edge.run_id,
           count(*) AS ended,
           min(edge.upstream_run_id) FILTER (WHERE ended.status <> 'COMPLETED' AND NOT edge.regardless) AS spoiler_id,
           min(ended.status) FILTER (WHERE ended.status <> 'COMPLETED' AND NOT edge.regardless) AS spoiler_status
    FROM ended
    JOIN scheduler.task_run_dependencies AS edge ON edge.upstream_run_id = ended.id
    GROUP BY edge.run_id
), task AS MATERIALIZED (
    SELECT tasks.id, tasks.status
    FROM scheduler.tasks
    WHERE tasks.id = ANY(ARRAY(SELECT run.task_id FROM scheduler.task_runs AS run
                               WHERE run.id = ANY(ARRAY(SELECT run_id FROM tally)))
                         || ARRAY(SELECT task_id FROM awaiting))
    ORDER BY tasks.id
    FOR SHARE
), planned AS (
    UPDATE scheduler.schedules
    SET next_due_at = to_timestamp(greatest(ceil(extract(epoch FROM final.completed_at) + awaiting.delay),
                                            ceil(extract(epoch FROM awaiting.recorded_until) + 1))),
        awaits_run_id = NULL
    FROM awaiting
    JOIN final ON final.id = awaiting.awaits_run_id
    JOIN task ON task.id = awaiting.task_id AND task.status = 'ACTIVE'
    WHERE schedules.task_id = awaiting.task_id AND awaiting.delay IS NOT NULL
    RETURNING schedules.task_id
), waiting AS MATERIALIZED (
    SELECT run.id, run.status, run.task_id, run.waiting_on, run.not_before
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
               WHEN waiting.not_before > moment.now THEN 'PENDING'
               ELSE 'DISPATCHED'
           END AS status
    FROM waiting
    CROSS JOIN moment
    JOIN tally ON tally.run_id = waiting.id
    JOIN task ON task.id = waiting.task_id
    WHERE waiting.status = 'PENDING'
), told AS (
    UPDATE scheduler.task_runs AS run
    SET status = verdict.status,
        waiting_on = verdict.waiting_on,
        held = verdict.held,
        not_before = CASE WHEN verdict.status = 'SKIPPED' THEN run.not_before
                          ELSE greatest(run.not_before, moment.now) END,
        completed_at = CASE WHEN verdict.status = 'SKIPPED' THEN moment.now END,
        error = CASE WHEN verdict.status = 'SKIPPED'
                     THEN format('Not run: upstream run %%s is %%s.', verdict.spoiler_id, verdict.spoiler_status)
                     ELSE run.error END
    FROM verdict CROSS JOIN moment
    WHERE run.id = verdict.id
    RETURNING run.id, run.flow_id, run.task_id, run.status, run.queue, run.task_type, run.scheduled_at,
              run.needs_settlement, run.status = 'PENDING' AND run.waiting_on = 0 AND NOT run.held AS is_later
)
SELECT id, flow_id, task_id, status, queue, task_type, scheduled_at, needs_settlement, is_later FROM told
UNION ALL
SELECT NULL, NULL, task_id, 'PLANNED', NULL, NULL, NULL, false, true FROM planned
