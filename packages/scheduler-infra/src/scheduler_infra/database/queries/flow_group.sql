-- The group that a run stands for, its runs counted; NULL for a run that stands for none.
SELECT
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
FROM scheduler.task_runs AS run
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
WHERE run.id = %(run_id)s
