-- What the given runs may know of those directly upstream: status and result, of a group the results of its runs by their
-- index, of a sub-flow those of its last runs by their tasks.
-- A group whose failed runs alone were made again has the others' results from the group before it.
-- `bytes` is how much all of it is for one run as JSON; where that is more than `bytes_max`, it is left out.
WITH RECURSIVE upstream AS MATERIALIZED (
    SELECT edge.run_id AS owner_id, run.id, tasks.name AS task_name, run.status, run.result, run.group_size,
           run.retry_of, coalesce(version.flow_options ? 'sub_flow', false) AS is_sub_flow
    FROM scheduler.task_run_dependencies AS edge
    JOIN scheduler.task_runs AS run ON run.id = edge.upstream_run_id
    JOIN scheduler.tasks ON tasks.id = run.task_id
    JOIN scheduler.task_versions AS version ON version.id = run.task_version_id
    WHERE edge.run_id = ANY(%(owner_ids)s::bigint[]) AND NOT edge.regardless
), head(upstream_id, id, size, retry_of, is_sub_flow) AS (
    SELECT DISTINCT id, id, group_size, retry_of, is_sub_flow FROM upstream WHERE group_size IS NOT NULL
    UNION
    SELECT head.upstream_id, earlier.id, earlier.group_size, earlier.retry_of, head.is_sub_flow
    FROM head
    JOIN scheduler.task_runs AS earlier ON earlier.id = head.retry_of AND earlier.group_size = head.size
    WHERE (SELECT count(*) FROM scheduler.task_runs AS own WHERE own.group_id = head.id) < head.size
), member AS MATERIALIZED (
    SELECT DISTINCT ON (head.upstream_id, run.shard_index) head.upstream_id, run.shard_index, run.result
    FROM head
    JOIN scheduler.task_runs AS run ON run.group_id = head.id AND run.status = 'COMPLETED'
    WHERE NOT head.is_sub_flow
    ORDER BY head.upstream_id, run.shard_index, run.id DESC
), leaf AS MATERIALIZED (
    SELECT DISTINCT ON (head.upstream_id, run.task_id) head.upstream_id, tasks.name AS task_name, run.result
    FROM head
    JOIN scheduler.task_runs AS run ON run.group_id = head.id
    JOIN scheduler.tasks ON tasks.id = run.task_id
    WHERE head.is_sub_flow
      AND NOT EXISTS (SELECT FROM scheduler.task_run_dependencies AS edge
                      WHERE edge.upstream_run_id = run.id AND NOT edge.regardless AND NOT edge.given)
    ORDER BY head.upstream_id, run.task_id, run.id DESC
), part AS (
    SELECT upstream_id, octet_length(result::text) AS bytes FROM member
    UNION ALL
    SELECT upstream_id, octet_length(result::text) FROM leaf
), size AS MATERIALIZED (
    SELECT upstream.owner_id,
           sum(coalesce(octet_length(upstream.result::text), 0)
               + coalesce((SELECT sum(part.bytes) FROM part WHERE part.upstream_id = upstream.id), 0)) AS bytes
    FROM upstream
    GROUP BY upstream.owner_id
)
SELECT upstream.owner_id, upstream.id AS upstream_run_id, upstream.task_name, upstream.status, size.bytes::bigint,
       CASE WHEN size.bytes > %(bytes_max)s THEN NULL
            WHEN upstream.is_sub_flow
            THEN (SELECT jsonb_object_agg(leaf.task_name, leaf.result) FROM leaf WHERE leaf.upstream_id = upstream.id)
            ELSE upstream.result END AS result,
       CASE WHEN upstream.group_size IS NOT NULL AND NOT upstream.is_sub_flow AND size.bytes <= %(bytes_max)s
            THEN ARRAY(SELECT member.result
                       FROM generate_series(0, upstream.group_size - 1) AS place(index)
                       LEFT JOIN member ON member.upstream_id = upstream.id AND member.shard_index = place.index
                       ORDER BY place.index) END AS results
FROM upstream
JOIN size ON size.owner_id = upstream.owner_id
ORDER BY upstream.owner_id, upstream.id
