-- The runs of groups that are expanded now; the groups are locked, and their rows are written in the same transaction.
-- Of each group the first `max_parallel` are claimable at once, the others wait for a place in it.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
)
INSERT INTO scheduler.task_runs (task_id, task_version_id, flow_id, scheduled_at, not_before, created_at, max_retries,
                                 waiting_on, priority, needs_settlement, status, trigger, namespace, queue, task_type,
                                 parameters, trace_context, interval_from, interval_to, group_id, shard_index,
                                 shard_total, item, claim_at, gated, background, queue_timeout_seconds,
                                 total_timeout_seconds, start_before)
SELECT head.task_id, head.task_version_id, head.flow_id, head.scheduled_at, moment.now, moment.now, head.max_retries,
       CASE WHEN member.is_claimable THEN 0 ELSE 1 END, head.priority, true,
       CASE WHEN member.is_claimable AND head.gated IS NOT TRUE THEN 'DISPATCHED' ELSE 'PENDING' END, 'DEPENDENCY', head.namespace,
       coalesce(member.queue, head.queue), head.task_type, head.parameters, head.trace_context, head.interval_from,
       head.interval_to, head.id, member.shard_index, member.shard_total, member.item::jsonb,
       scheduler.claim_at(moment.now, head.priority), head.gated, head.background, head.queue_timeout_seconds,
       head.total_timeout_seconds,
       CASE WHEN member.is_claimable THEN moment.now + head.queue_timeout_seconds * interval '1 second' END
FROM unnest(%(group_ids)s::bigint[], %(indexes)s::integer[], %(totals)s::integer[], %(items)s::text[],
            %(queues)s::text[], %(claimable)s::boolean[])
    AS member(group_id, shard_index, shard_total, item, queue, is_claimable)
JOIN scheduler.task_runs AS head ON head.id = member.group_id
CROSS JOIN moment
ORDER BY member.group_id, member.shard_index
RETURNING id, flow_id, task_id, status, queue, task_type, scheduled_at,
          status = 'PENDING' AND waiting_on = 0 AS is_later
