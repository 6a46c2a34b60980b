-- The slots, that somebody waits or has waited for, which these runs stand for.
SELECT DISTINCT run.task_id, run.scheduled_at
FROM scheduler.task_runs AS run
WHERE run.id = ANY(%(run_ids)s::bigint[]) AND run.interval_to IS NOT NULL AND run.group_id IS NULL
  AND EXISTS (SELECT FROM scheduler.task_run_wait_slots AS slot
              WHERE slot.upstream_task_id = run.task_id AND slot.scheduled_at = run.scheduled_at)
