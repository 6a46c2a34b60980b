-- The given runs as they wait, locked: as count_ended answers them, with nothing that has ended now. With `group_ids`
-- instead, of each group as many of its runs that wait for a place in it as `counts` says, oldest first, each with that
-- place as what has ended; also those that have ended or been cancelled meanwhile, as they stand. Lock order: tasks, waiting runs; of a group's runs the group itself is locked already.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), wanted AS MATERIALIZED (
    SELECT run.id, run.task_id, 0 AS ended
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(%(run_ids)s::bigint[])
    UNION ALL
    SELECT member.id, member.task_id, 1
    FROM unnest(%(group_ids)s::bigint[], %(counts)s::integer[]) AS place(group_id, free)
    CROSS JOIN LATERAL (
        SELECT run.id, run.task_id
        FROM scheduler.task_runs AS run
        WHERE run.group_id = place.group_id AND run.status = 'PENDING' AND run.waiting_on > 0
        ORDER BY run.id
        LIMIT place.free
    ) AS member
), task AS MATERIALIZED (
    SELECT tasks.id, tasks.status
    FROM scheduler.tasks
    WHERE tasks.id = ANY(ARRAY(SELECT task_id FROM wanted))
    ORDER BY tasks.id
    FOR SHARE
), waiting AS MATERIALIZED (
    SELECT run.id, run.status, run.task_id, run.waiting_on, run.not_before, run.trigger_rule, run.upstreams,
           run.upstream_successes, run.upstream_failures, run.upstream_skips, run.expands, run.group_id
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(ARRAY(SELECT id FROM wanted)) AND (SELECT count(*) FROM task) >= 0
    ORDER BY run.id
    FOR NO KEY UPDATE
)
SELECT waiting.id, waiting.status, task.status AS task_status, waiting.waiting_on, waiting.trigger_rule,
       coalesce(waiting.upstreams, 0) AS upstreams, coalesce(waiting.upstream_successes, 0) AS upstream_successes,
       coalesce(waiting.upstream_failures, 0) AS upstream_failures,
       coalesce(waiting.upstream_skips, 0) AS upstream_skips, coalesce(waiting.expands, false) AS expands, waiting.group_id,
       CASE WHEN waiting.upstream_skips > 0
            THEN (SELECT count(*) FROM scheduler.task_run_waits AS wait
                  WHERE wait.run_id = waiting.id AND wait.state IN ('OPEN', 'OVERDUE'))
            ELSE 0 END AS open_waits,
       waiting.not_before <= moment.now AS is_due, wanted.ended
FROM waiting
CROSS JOIN moment
JOIN wanted ON wanted.id = waiting.id
JOIN task ON task.id = waiting.task_id
