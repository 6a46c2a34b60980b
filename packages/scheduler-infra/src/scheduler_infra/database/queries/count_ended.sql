-- Tells how the given finished runs concern those that wait for them. Each finished run is counted once, by whoever locks
-- it first; what is answered has to be written (write_verdicts) in the same transaction.
-- Edges are summed per waiting run before it is locked; a row for each of those is answered as it stands under that lock.
-- A run of a group is counted for the group. Of a sub-flow only the runs that nothing waits for decide its outcome.
-- A schedule with a fixed delay that waits for one of them is due next when its delay after that end has passed, in
-- whole seconds, and later than what is recorded, also when the clock was set back since; a paused task's stays as it is
-- until the task is resumed. It does not matter who has settled the run: version 0001 knows no fixed delay.
-- The last row has no id: whether a schedule was planned, and which of the finished runs stand for slots that others wait
-- for (slot_ids).
-- Lock order: finished runs, schedules, tasks, waiting runs.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), final AS MATERIALIZED (
    SELECT *
    FROM (
        SELECT run.id, run.task_id, run.status, run.completed_at, run.needs_settlement, run.skip_reason, run.group_id,
               run.shard_index, run.waiting_on, run.interval_from, run.scheduled_at
        FROM scheduler.task_runs AS run
        WHERE run.id = ANY(%(run_ids)s::bigint[])
        ORDER BY run.id
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS locked
    WHERE locked.status NOT IN ('PENDING', 'DISPATCHED', 'RUNNING')
), ended AS MATERIALIZED (
    SELECT final.*,
           CASE WHEN status = 'COMPLETED' THEN 'SUCCESS'
                WHEN status = 'SKIPPED' AND skip_reason <> ALL(%(failure_skips)s::text[]) THEN 'SKIP'
                ELSE 'FAILURE' END AS ending
    FROM final
    WHERE needs_settlement
), settled AS (
    UPDATE scheduler.task_runs SET needs_settlement = false WHERE id = ANY(ARRAY(SELECT id FROM ended))
), awaiting AS MATERIALIZED (
    SELECT schedules.task_id, schedules.awaits_run_id, (schedules.schedule ->> 'after_end')::integer AS delay,
           coalesce(schedules.last_slot_at, schedules.recorded_from) AS recorded_until
    FROM scheduler.schedules
    WHERE schedules.awaits_run_id = ANY(ARRAY(SELECT id FROM final))
    ORDER BY schedules.task_id
    FOR NO KEY UPDATE
), contribution AS MATERIALIZED (
    SELECT edge.run_id, ended.id AS upstream_id, ended.status, false AS is_member, 0 AS released,
           CASE WHEN edge.regardless THEN 'PASS'
                WHEN edge.tolerant AND ended.status IN ('FAILED', 'TIMEOUT', 'QUARANTINED') THEN 'SUCCESS'
                ELSE ended.ending END AS ending
    FROM ended
    JOIN scheduler.task_run_dependencies AS edge ON edge.upstream_run_id = ended.id AND NOT edge.given
    UNION ALL
    SELECT ended.group_id, ended.id, ended.status, true, (ended.waiting_on = 0)::integer,
           CASE WHEN ended.shard_index IS NULL
                     AND EXISTS (SELECT FROM scheduler.task_run_dependencies AS edge
                                 WHERE edge.upstream_run_id = ended.id AND NOT edge.regardless AND NOT edge.given)
                THEN 'SUCCESS' ELSE ended.ending END
    FROM ended
    WHERE ended.group_id IS NOT NULL
), tally AS MATERIALIZED (
    SELECT run_id, is_member, count(*) AS ended,
           count(*) FILTER (WHERE ending = 'SUCCESS') AS new_successes,
           count(*) FILTER (WHERE ending = 'FAILURE') AS new_failures,
           count(*) FILTER (WHERE ending = 'SKIP') AS new_skips,
           sum(released) AS released_ends,
           coalesce(min(upstream_id) FILTER (WHERE ending = 'FAILURE'),
                    min(upstream_id) FILTER (WHERE ending = 'SKIP')) AS spoiler_id
    FROM contribution
    GROUP BY run_id, is_member
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
    SELECT run.id, run.status, run.task_id, run.task_version_id, run.waiting_on, run.not_before, run.trigger_rule,
           run.upstreams, run.upstream_successes, run.upstream_failures, run.upstream_skips, run.expands, run.group_size,
           run.cancel_requested
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(ARRAY(SELECT run_id FROM tally)) AND (SELECT count(*) FROM task) >= 0
    ORDER BY run.id
    FOR NO KEY UPDATE
)
SELECT waiting.id, waiting.status, task.status AS task_status, waiting.waiting_on, waiting.trigger_rule,
       coalesce(waiting.upstreams, 0) AS upstreams, coalesce(waiting.upstream_successes, 0) AS upstream_successes,
       coalesce(waiting.upstream_failures, 0) AS upstream_failures,
       coalesce(waiting.upstream_skips, 0) AS upstream_skips, coalesce(waiting.expands, false) AS expands,
       waiting.group_size, coalesce(version.flow_options ? 'sub_flow', false) AS is_sub_flow,
       coalesce((version.flow_options ->> 'tolerated_failures')::integer, 0) AS tolerated_failures,
       (version.flow_options ->> 'max_parallel')::integer AS max_parallel,
       waiting.cancel_requested,
       CASE WHEN tally.new_skips > 0 OR waiting.upstream_skips > 0
            THEN (SELECT count(*) FROM scheduler.task_run_waits AS wait
                  WHERE wait.run_id = waiting.id AND wait.state IN ('OPEN', 'OVERDUE'))
            ELSE 0 END AS open_waits,
       waiting.not_before <= moment.now AS is_due, tally.ended, tally.new_successes, tally.new_failures,
       tally.new_skips, tally.released_ends, tally.spoiler_id,
       (SELECT ended.status FROM ended WHERE ended.id = tally.spoiler_id) AS spoiler_status,
       NULL::boolean AS is_planned, NULL::bigint[] AS slot_ids
FROM waiting
CROSS JOIN moment
-- A group that has its runs waits for nobody else: who ends upstream of it only now is nothing to it any more.
JOIN tally ON tally.run_id = waiting.id AND tally.is_member = (waiting.group_size IS NOT NULL)
JOIN task ON task.id = waiting.task_id
LEFT JOIN LATERAL (
    SELECT task_versions.flow_options
    FROM scheduler.task_versions
    WHERE task_versions.id = waiting.task_version_id AND waiting.group_size IS NOT NULL
    LIMIT 1
) AS version ON true
WHERE waiting.status = 'PENDING'
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, EXISTS (SELECT FROM planned),
       ARRAY(SELECT ended.id FROM ended
             WHERE ended.interval_from IS NOT NULL AND ended.group_id IS NULL
               AND EXISTS (SELECT FROM scheduler.task_run_wait_slots AS slot
                           WHERE slot.upstream_task_id = ended.task_id AND slot.scheduled_at = ended.scheduled_at)
             ORDER BY ended.id)
