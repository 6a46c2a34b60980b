-- Up to when the slots of these tasks are in the ledger: by their own schedule, or by that of the scheduled task that
-- their flow begins with. A task without any is left out, as is one that was deleted, itself or that scheduled task: it
-- gets no more slots.
WITH RECURSIVE ancestor(upstream_task_id, id) AS (
    SELECT tasks.id, tasks.id
    FROM scheduler.tasks
    WHERE tasks.id = ANY(%(task_ids)s::bigint[]) AND tasks.status <> 'INACTIVE'
    UNION
    SELECT ancestor.upstream_task_id, edge.depends_on_task_id
    FROM ancestor
    JOIN scheduler.task_dependencies AS edge ON edge.task_id = ancestor.id
)
SELECT DISTINCT ON (ancestor.upstream_task_id) ancestor.upstream_task_id AS task_id,
       coalesce(schedules.last_slot_at, schedules.recorded_from) AS recorded_until
FROM ancestor
JOIN scheduler.schedules ON schedules.task_id = ancestor.id
JOIN scheduler.tasks ON tasks.id = ancestor.id AND tasks.status <> 'INACTIVE'
ORDER BY ancestor.upstream_task_id, ancestor.id <> ancestor.upstream_task_id, ancestor.id
