-- Runs of these tasks that have not ended, in ascending order; a group stands for its runs. RUNNING ones are found
-- among all that are RUNNING, which places bound, and not among all that the task ever had.
SELECT id AS run_id, task_id
FROM scheduler.task_runs
WHERE task_id = ANY(%(task_ids)s::bigint[]) AND shard_index IS NULL
  AND CASE status WHEN 'PENDING' THEN true WHEN 'DISPATCHED' THEN true ELSE false END
UNION
SELECT running.id, running.task_id
FROM (SELECT id, task_id FROM scheduler.task_runs WHERE status = 'RUNNING' AND session_id IS NOT NULL
        AND shard_index IS NULL OFFSET 0)
    AS running
WHERE running.task_id = ANY(%(task_ids)s::bigint[])
ORDER BY run_id
