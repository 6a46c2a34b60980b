-- The slots of these dependencies of which nothing is known yet and of which no run is on its way, and whether they have
-- a run, which then has ended.
WITH open AS MATERIALIZED (
    SELECT DISTINCT slot.upstream_task_id AS task_id, slot.scheduled_at
    FROM unnest(%(run_ids)s::bigint[], %(positions)s::integer[]) AS given(run_id, position)
    JOIN scheduler.task_run_wait_slots AS slot USING (run_id, position)
    WHERE slot.outcome IS NULL
)
SELECT open.task_id, open.scheduled_at, runs.has_run
FROM open
CROSS JOIN LATERAL (
    SELECT count(*) > 0 AS has_run,
           count(*) FILTER (WHERE run.status IN ('PENDING', 'DISPATCHED', 'RUNNING')) = count(*) AND count(*) > 0
               AS is_active
    FROM scheduler.task_runs AS run
    WHERE run.task_id = open.task_id AND run.scheduled_at = open.scheduled_at
      AND run.interval_to IS NOT NULL AND run.group_id IS NULL
) AS runs
WHERE NOT runs.is_active
