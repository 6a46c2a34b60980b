-- What these runs wait for, or have waited for: slots counted by outcome, and the first few that have not succeeded, each
-- with the run that stands for it now.
SELECT wait.run_id, wait.position, wait.upstream_task_id, upstream.name AS upstream_task, wait.dependency, wait.state,
       wait.expected, wait.deadline_at, wait.settled_at,
       coalesce((SELECT jsonb_object_agg(tally.outcome, tally.slots)
                 FROM (SELECT slot.outcome, count(*) AS slots
                       FROM scheduler.task_run_wait_slots AS slot
                       WHERE slot.run_id = wait.run_id AND slot.position = wait.position AND slot.outcome IS NOT NULL
                       GROUP BY slot.outcome) AS tally), '{}') AS outcomes,
       coalesce((SELECT jsonb_agg(to_jsonb(missing) ORDER BY missing.scheduled_at)
                 FROM (SELECT slot.scheduled_at, slot.outcome, coalesce(standing.id, slot.upstream_run_id)
                                  AS upstream_run_id, standing.status AS upstream_status
                       FROM scheduler.task_run_wait_slots AS slot
                       LEFT JOIN LATERAL (
                           SELECT run.id, run.status
                           FROM scheduler.task_runs AS run
                           WHERE run.task_id = slot.upstream_task_id AND run.scheduled_at = slot.scheduled_at
                             AND run.interval_to IS NOT NULL AND run.group_id IS NULL
                           ORDER BY run.id DESC
                           LIMIT 1
                       ) AS standing ON true
                       WHERE slot.run_id = wait.run_id AND slot.position = wait.position
                         AND slot.outcome IS DISTINCT FROM 'SUCCESS'
                       ORDER BY slot.scheduled_at
                       LIMIT %(shown)s) AS missing), '[]') AS missing
FROM scheduler.task_run_waits AS wait
JOIN scheduler.tasks AS upstream ON upstream.id = wait.upstream_task_id
WHERE wait.run_id = ANY(%(run_ids)s::bigint[])
ORDER BY wait.run_id, wait.position
