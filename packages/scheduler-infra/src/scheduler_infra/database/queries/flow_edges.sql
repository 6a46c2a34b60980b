-- What runs wait or waited for, in ascending order. Of another flow is what an earlier flow had done already, and the
-- run of an earlier slot.
SELECT edge.upstream_run_id, edge.run_id,
       CASE WHEN edge.regardless THEN 'previous' WHEN upstream.flow_id <> run.flow_id THEN 'given'
            ELSE 'dependency' END AS kind,
       tasks.name AS upstream_task_name, upstream.status AS upstream_status
FROM scheduler.task_run_dependencies AS edge
JOIN scheduler.task_runs AS run ON run.id = edge.run_id
JOIN scheduler.task_runs AS upstream ON upstream.id = edge.upstream_run_id
JOIN scheduler.tasks ON tasks.id = upstream.task_id
WHERE edge.run_id = ANY(%(run_ids)s::bigint[])
ORDER BY edge.run_id, edge.upstream_run_id
LIMIT %(limit)s
