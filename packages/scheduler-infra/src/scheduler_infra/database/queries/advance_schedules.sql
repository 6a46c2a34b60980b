-- Moves schedules on and writes the stretches of slots that get no run.
WITH advanced AS (
    UPDATE scheduler.schedules
    SET last_slot_at = step.last_slot_at, next_due_at = step.next_due_at
    FROM unnest(%(task_ids)s::bigint[], %(last_slots)s::timestamptz[], %(next_dues)s::timestamptz[])
        AS step(task_id, last_slot_at, next_due_at)
    WHERE schedules.task_id = step.task_id
)
INSERT INTO scheduler.slots (task_id, scheduled_at, shard_index, last_scheduled_at, count, reason)
SELECT task_id, scheduled_at, 0, last_scheduled_at, count, reason
FROM unnest(%(skipped_task_ids)s::bigint[], %(skipped_from)s::timestamptz[], %(skipped_to)s::timestamptz[],
            %(skipped_counts)s::bigint[], %(skipped_reasons)s::text[])
    AS skipped(task_id, scheduled_at, last_scheduled_at, count, reason)
ON CONFLICT DO NOTHING
