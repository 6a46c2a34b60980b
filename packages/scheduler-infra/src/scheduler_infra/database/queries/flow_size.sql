-- How many runs of a flow are nodes, and how many edges lead to them.
SELECT count(*) AS nodes, coalesce(sum(edges.count), 0)::bigint AS edges
FROM (
    SELECT id, group_id, shard_index FROM scheduler.task_runs WHERE flow_id = %(flow_id)s AND flow_id <> id
    UNION ALL
    SELECT id, group_id, shard_index FROM scheduler.task_runs WHERE id = %(flow_id)s AND flow_id = id
) AS run
CROSS JOIN LATERAL (
    SELECT count(*) AS count FROM scheduler.task_run_dependencies AS edge WHERE edge.run_id = run.id
) AS edges
WHERE run.group_id IS NULL OR run.shard_index IS NULL
