-- Dependencies of runs that this transaction has made, and the slots that they wait for. Those that are open count among
-- what the runs wait for.
WITH wait AS MATERIALIZED (
    SELECT *
    FROM unnest(%(run_ids)s::bigint[], %(positions)s::integer[], %(upstream_task_ids)s::bigint[],
                %(dependencies)s::text[], %(expected)s::integer[], %(deadlines)s::timestamptz[], %(states)s::text[])
        AS wait(run_id, position, upstream_task_id, dependency, expected, deadline_at, state)
), written AS (
    INSERT INTO scheduler.task_run_waits (run_id, position, upstream_task_id, dependency, expected, deadline_at, state,
                                          settled_at)
    SELECT run_id, position, upstream_task_id, dependency::jsonb, expected, deadline_at, state,
           CASE WHEN state <> 'OPEN' THEN coalesce(%(now)s::timestamptz, clock_timestamp()) END
    FROM wait
), slot AS (
    INSERT INTO scheduler.task_run_wait_slots (upstream_task_id, scheduled_at, run_id, position, outcome,
                                               upstream_run_id)
    SELECT upstream_task_id, scheduled_at, run_id, position, outcome, upstream_run_id
    FROM unnest(%(slot_tasks)s::bigint[], %(slot_instants)s::timestamptz[], %(slot_runs)s::bigint[],
                %(slot_positions)s::integer[], %(slot_outcomes)s::text[], %(slot_upstream_runs)s::bigint[])
        AS slot(upstream_task_id, scheduled_at, run_id, position, outcome, upstream_run_id)
)
UPDATE scheduler.task_runs AS run
SET waiting_on = run.waiting_on + open.waits
FROM (SELECT run_id, count(*) AS waits FROM wait WHERE state IN ('OPEN', 'OVERDUE') GROUP BY run_id) AS open
WHERE run.id = open.run_id
