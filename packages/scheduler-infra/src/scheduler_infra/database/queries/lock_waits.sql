-- Locks all dependencies on these slots, met or not, until commit: who counts the slots of a dependency counts alone.
WITH touched AS MATERIALIZED (
    SELECT DISTINCT slot.run_id, slot.position
    FROM unnest(%(task_ids)s::bigint[], %(instants)s::timestamptz[]) AS wanted(task_id, scheduled_at)
    JOIN scheduler.task_run_wait_slots AS slot
        ON slot.upstream_task_id = wanted.task_id AND slot.scheduled_at = wanted.scheduled_at
)
SELECT wait.run_id, wait.position, wait.state
FROM scheduler.task_run_waits AS wait
JOIN touched USING (run_id, position)
ORDER BY wait.run_id, wait.position
FOR NO KEY UPDATE OF wait
