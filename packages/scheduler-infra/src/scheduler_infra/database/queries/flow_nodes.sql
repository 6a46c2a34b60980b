-- The runs of a flow in ascending order, of groups only the runs of sub-flows; each group with its runs counted.
-- Errors are cut: those of thousands of runs would be a long answer.
SELECT run.id AS run_id, run.task_id, tasks.name AS task_name, run.task_type, run.status, run.skip_reason,
       run.trigger_rule, run.group_id, run.waiting_on, run.not_before, run.started_at, run.completed_at, run.attempt,
       session.worker_id, left(run.error, 1000) AS error, run.retry_of,
       CASE WHEN run.shard_index IS NULL AND version.flow_options ?| ARRAY['sub_flow', 'shards', 'map_over', 'broadcast']
            THEN jsonb_build_object(
                'kind', CASE WHEN version.flow_options ? 'sub_flow' THEN 'sub_flow'
                             WHEN version.flow_options ? 'map_over' THEN 'map'
                             WHEN version.flow_options ? 'broadcast' THEN 'broadcast'
                             ELSE 'shards' END,
                'size', run.group_size,
                'by_status', coalesce(counted.by_status, '{}'),
                'started_at', counted.started_at, 'ended_at', counted.ended_at,
                'max_parallel', (version.flow_options ->> 'max_parallel')::integer,
                'tolerated_failures', coalesce((version.flow_options ->> 'tolerated_failures')::integer, 0))
       END AS "group"
FROM (
    SELECT *
    FROM (
        SELECT * FROM scheduler.task_runs WHERE flow_id = %(flow_id)s AND flow_id <> id
        UNION ALL
        SELECT * FROM scheduler.task_runs WHERE id = %(flow_id)s AND flow_id = id
    ) AS member
    WHERE member.group_id IS NULL OR member.shard_index IS NULL
    ORDER BY member.id
    LIMIT %(limit)s
) AS run
JOIN scheduler.tasks ON tasks.id = run.task_id
JOIN scheduler.task_versions AS version ON version.id = run.task_version_id
LEFT JOIN LATERAL (
    SELECT jsonb_object_agg(alike.status, alike.count) AS by_status, min(alike.started_at) AS started_at,
           max(alike.ended_at) AS ended_at
    FROM (
        SELECT member.status, count(*) AS count, min(member.started_at) AS started_at,
               max(member.completed_at) AS ended_at
        FROM scheduler.task_runs AS member
        WHERE member.group_id = run.id
        GROUP BY member.status
    ) AS alike
) AS counted ON run.group_size IS NOT NULL
LEFT JOIN scheduler.worker_sessions AS session ON session.id = run.session_id
ORDER BY run.id
