-- The runs of a group behind a place, in the order of their index; those of a sub-flow have none.
SELECT coalesce(run.shard_index, 0) AS shard_index, run.id AS run_id
FROM scheduler.task_runs AS run
WHERE run.group_id = %(group_id)s AND (coalesce(run.shard_index, 0), run.id) > (%(shard_index)s, %(run_id)s)
ORDER BY coalesce(run.shard_index, 0), run.id
LIMIT %(limit)s
