-- Plans the next slots of schedules that were stopped; a deleted task's stays stopped.
UPDATE scheduler.schedules
SET next_due_at = step.next_due_at
FROM unnest(%(task_ids)s::bigint[], %(next_dues)s::timestamptz[]) AS step(task_id, next_due_at),
     scheduler.tasks
WHERE schedules.task_id = step.task_id AND tasks.id = step.task_id AND tasks.status = 'ACTIVE'
