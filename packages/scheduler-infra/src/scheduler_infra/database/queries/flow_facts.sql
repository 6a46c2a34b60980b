-- Flows by their root runs, newest first, and how many of their runs stand how. Those decide the status of a flow that
-- belong to no group and that no run of the flow waits for.
SELECT root.id, root.task_id, tasks.name AS task_name, root.namespace, root.trigger, root.retry_of, root.scheduled_at,
       root.interval_from, root.interval_to, root.created_at, whole.started_at, whole.ended_at, whole.parts
FROM scheduler.task_runs AS root
JOIN scheduler.tasks ON tasks.id = root.task_id
CROSS JOIN LATERAL (
    SELECT min(part.started_at) AS started_at, max(part.ended_at) AS ended_at,
           jsonb_agg(jsonb_build_object('status', part.status, 'skip_reason', part.skip_reason,
                                        'decides', part.decides, 'count', part.count)
                     ORDER BY part.status, part.skip_reason, part.decides) AS parts
    FROM (
        SELECT run.status, run.skip_reason, run.decides, count(*) AS count, min(run.started_at) AS started_at,
               max(run.completed_at) AS ended_at
        FROM (
            SELECT member.status, member.skip_reason, member.started_at, member.completed_at,
                   member.group_id IS NULL AND NOT EXISTS (
                       SELECT
                       FROM scheduler.task_run_dependencies AS edge
                       JOIN scheduler.task_runs AS later ON later.id = edge.run_id
                       WHERE edge.upstream_run_id = member.id AND later.flow_id = root.id
                   ) AS decides
            FROM (
                SELECT id, group_id, status, skip_reason, started_at, completed_at
                FROM scheduler.task_runs
                WHERE flow_id = root.id AND flow_id <> id
                UNION ALL
                SELECT root.id, root.group_id, root.status, root.skip_reason, root.started_at, root.completed_at
            ) AS member
        ) AS run
        GROUP BY run.status, run.skip_reason, run.decides
    ) AS part
) AS whole
WHERE root.id = ANY(%(flow_ids)s::bigint[]) AND root.flow_id = root.id
ORDER BY root.id DESC
