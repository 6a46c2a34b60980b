-- A page of the dependencies that are not settled. `is_over`: the run waits for nothing any more, because it has ended in
-- another way. `is_removed`: the version that it is to run has no dependency on such intervals of that task any more,
-- under the name that the task had when the run was made or the one that it has now.
WITH page AS MATERIALIZED (
    SELECT wait.run_id, wait.position, wait.upstream_task_id, wait.dependency
    FROM scheduler.task_run_waits AS wait
    WHERE wait.state IN ('OPEN', 'OVERDUE') AND (wait.run_id, wait.position) > (%(run_id)s, %(position)s)
    ORDER BY wait.run_id, wait.position
    LIMIT %(limit)s
)
SELECT page.run_id, page.position, run.status <> 'PENDING' AS is_over,
       NOT EXISTS (
           SELECT
           FROM jsonb_array_elements(version.dependencies) AS present(dependency)
           WHERE jsonb_typeof(present.dependency) = 'object'
             AND present.dependency ->> 'interval' = page.dependency ->> 'interval'
             AND present.dependency ->> 'task' IN (page.dependency ->> 'task', upstream.name)
       ) AS is_removed
FROM page
JOIN scheduler.task_runs AS run ON run.id = page.run_id
JOIN scheduler.task_versions AS version ON version.id = run.task_version_id
JOIN scheduler.tasks AS upstream ON upstream.id = page.upstream_task_id
ORDER BY page.run_id, page.position
