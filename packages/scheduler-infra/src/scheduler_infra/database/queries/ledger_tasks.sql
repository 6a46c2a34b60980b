-- Tasks that have a schedule or a ledger, deleted ones too, in ascending id order, and where each of them stands.
-- The clock is the one of the statement's start: whatever was recorded before that moment is seen.
SELECT tasks.id AS task_id, tasks.name AS task_name, tasks.namespace, tasks.status,
       coalesce(schedules.last_slot_at, schedules.recorded_from) AS recorded_until, schedules.next_due_at,
       schedules.awaits_run_id,
       coalesce(%(now)s::timestamptz, statement_timestamp()) AS now
FROM scheduler.tasks
LEFT JOIN scheduler.schedules ON schedules.task_id = tasks.id
WHERE tasks.id >= %(from_id)s
  AND (%(namespace)s::text IS NULL OR tasks.namespace = %(namespace)s)
  AND (schedules.task_id IS NOT NULL
       OR EXISTS (SELECT FROM scheduler.schedule_periods WHERE schedule_periods.task_id = tasks.id)
       OR EXISTS (SELECT FROM scheduler.slots WHERE slots.task_id = tasks.id))
ORDER BY tasks.id
LIMIT %(limit)s
