-- The newest entries of a task's ledger that begin in [start, end), newest first, with what is known of their runs.
SELECT slots.scheduled_at, slots.last_scheduled_at, slots.count, slots.run_id, slots.reason, slots.zone_data,
       task_runs.status AS run_status, task_runs.completed_at AS run_completed_at
FROM scheduler.slots
LEFT JOIN scheduler.task_runs ON task_runs.id = slots.run_id
WHERE slots.task_id = %(task_id)s
  AND slots.scheduled_at >= coalesce(%(start)s::timestamptz, '-infinity')
  AND slots.scheduled_at < coalesce(%(end)s::timestamptz, 'infinity')
ORDER BY slots.scheduled_at DESC, slots.shard_index DESC
LIMIT %(limit)s
