-- Runs that this transaction has made take over what runs of an earlier flow had: parameters, item, place in a group, and
-- the queue of one worker. A group that keeps its other runs keeps its size.
UPDATE scheduler.task_runs AS run
SET parameters = earlier.parameters,
    queue = CASE WHEN left(earlier.queue, 1) = '@' THEN earlier.queue ELSE run.queue END,
    group_id = coalesce(taken.group_id, run.group_id),
    group_size = CASE WHEN taken.keeps_group THEN earlier.group_size END,
    shard_index = earlier.shard_index, shard_total = earlier.shard_total, item = earlier.item
FROM unnest(%(run_ids)s::bigint[], %(earlier_ids)s::bigint[], %(group_ids)s::bigint[], %(keeps_group)s::boolean[])
    AS taken(run_id, earlier_id, group_id, keeps_group)
CROSS JOIN LATERAL (
    SELECT before.parameters, before.queue, before.group_size, before.shard_index, before.shard_total, before.item
    FROM scheduler.task_runs AS before
    WHERE before.id = taken.earlier_id
    LIMIT 1
) AS earlier
WHERE run.id = taken.run_id
