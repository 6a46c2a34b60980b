-- Locks those of the given dependencies that are not settled yet, until commit, and says of each whether its run has ended.
SELECT wait.run_id, wait.position, run.status <> 'PENDING' AS is_over
FROM unnest(%(run_ids)s::bigint[], %(positions)s::integer[]) AS given(run_id, position)
JOIN scheduler.task_run_waits AS wait USING (run_id, position)
JOIN scheduler.task_runs AS run ON run.id = wait.run_id
WHERE wait.state IN ('OPEN', 'OVERDUE')
ORDER BY wait.run_id, wait.position
FOR NO KEY UPDATE OF wait
