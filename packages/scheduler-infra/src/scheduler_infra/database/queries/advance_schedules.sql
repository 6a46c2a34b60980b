-- Moves schedules on and writes the stretches of slots that get no run.
WITH advanced AS (
    UPDATE scheduler.schedules
    SET last_slot_at = step.recorded_until, next_due_at = step.next_due_at, awaits_run_id = step.awaits_run_id
    FROM unnest(%(task_ids)s::bigint[], %(recorded_until)s::timestamptz[], %(next_dues)s::timestamptz[],
                %(awaited_runs)s::bigint[])
        AS step(task_id, recorded_until, next_due_at, awaits_run_id)
    WHERE schedules.task_id = step.task_id
)
INSERT INTO scheduler.slots (task_id, scheduled_at, shard_index, last_scheduled_at, count, reason, zone_data)
SELECT task_id, scheduled_at, 0, last_scheduled_at, count, reason, %(zone_data)s
FROM unnest(%(skipped_task_ids)s::bigint[], %(skipped_from)s::timestamptz[], %(skipped_to)s::timestamptz[],
            %(skipped_counts)s::bigint[], %(skipped_reasons)s::text[])
    AS skipped(task_id, scheduled_at, last_scheduled_at, count, reason)
ON CONFLICT DO NOTHING
