-- Runs that have ended and had waited for the slot that this run stands for, newest first: of each slot of theirs the
-- latest run, as that is the one which is stale when this slot has been run again.
SELECT DISTINCT dependent.id, tasks.name AS task_name, dependent.status, dependent.scheduled_at
FROM scheduler.task_runs AS run
JOIN scheduler.task_run_wait_slots AS slot
    ON slot.upstream_task_id = run.task_id AND slot.scheduled_at = run.scheduled_at
JOIN scheduler.task_runs AS waited ON waited.id = slot.run_id
JOIN scheduler.tasks ON tasks.id = waited.task_id
CROSS JOIN LATERAL (
    SELECT latest.id, latest.status, latest.scheduled_at
    FROM scheduler.task_runs AS latest
    WHERE latest.task_id = waited.task_id AND latest.scheduled_at = waited.scheduled_at
      AND latest.interval_to IS NOT NULL AND latest.group_id IS NULL
      AND latest.status IN ('COMPLETED', 'FAILED')
    ORDER BY latest.id DESC
    LIMIT 1
) AS dependent
WHERE run.id = %(run_id)s AND run.interval_to IS NOT NULL AND run.group_id IS NULL
ORDER BY dependent.id DESC
LIMIT %(limit)s
