-- Writes what has become of these slots, for all who wait for them: how the latest of their runs that have ended did, or
-- that they have none although the ledger has gone past them. The dependencies are locked by the caller.
-- Runs that have taken in what another run of the slot had done, and that is done again now, are stale: of the slot that
-- such a run belongs to, the latest one that has begun.
WITH wanted AS MATERIALIZED (
    SELECT *
    FROM unnest(%(task_ids)s::bigint[], %(instants)s::timestamptz[], %(recorded)s::boolean[])
        AS wanted(task_id, scheduled_at, is_recorded)
), fresh AS MATERIALIZED (
    SELECT wanted.task_id, wanted.scheduled_at, latest.id AS run_id, latest.completed_at,
           CASE WHEN latest.id IS NULL THEN 'NO_RUN'
                WHEN latest.status = 'COMPLETED' THEN 'SUCCESS'
                WHEN latest.status = 'SKIPPED' AND latest.skip_reason <> ALL(%(failure_skips)s::text[]) THEN 'SKIPPED'
                ELSE 'FAILURE' END AS outcome
    FROM wanted
    LEFT JOIN LATERAL (
        SELECT run.id, run.status, run.skip_reason, run.completed_at
        FROM scheduler.task_runs AS run
        WHERE run.task_id = wanted.task_id AND run.scheduled_at = wanted.scheduled_at
          AND run.interval_to IS NOT NULL AND run.group_id IS NULL
          AND run.status NOT IN ('PENDING', 'DISPATCHED', 'RUNNING')
        ORDER BY run.completed_at DESC, run.id DESC
        LIMIT 1
    ) AS latest ON true
    WHERE latest.id IS NOT NULL
       OR (wanted.is_recorded
           AND NOT EXISTS (SELECT FROM scheduler.task_runs AS run
                           WHERE run.task_id = wanted.task_id AND run.scheduled_at = wanted.scheduled_at
                             AND run.interval_to IS NOT NULL AND run.group_id IS NULL))
), changed AS MATERIALIZED (
    SELECT slot.upstream_task_id, slot.scheduled_at, slot.run_id, slot.position, fresh.outcome,
           fresh.run_id AS upstream_run_id, fresh.completed_at,
           slot.upstream_run_id IS NOT NULL AND fresh.outcome = 'SUCCESS' AS is_again
    FROM fresh
    JOIN scheduler.task_run_wait_slots AS slot
        ON slot.upstream_task_id = fresh.task_id AND slot.scheduled_at = fresh.scheduled_at
    WHERE (slot.outcome, slot.upstream_run_id) IS DISTINCT FROM (fresh.outcome, fresh.run_id)
), written AS (
    UPDATE scheduler.task_run_wait_slots AS slot
    SET outcome = changed.outcome, upstream_run_id = changed.upstream_run_id
    FROM changed
    WHERE slot.upstream_task_id = changed.upstream_task_id AND slot.scheduled_at = changed.scheduled_at
      AND slot.run_id = changed.run_id AND slot.position = changed.position
), again AS MATERIALIZED (
    SELECT DISTINCT ON (latest.id) latest.id, changed.upstream_run_id
    FROM changed
    JOIN scheduler.task_runs AS waited ON waited.id = changed.run_id
    CROSS JOIN LATERAL (
        SELECT run.id, run.started_at
        FROM scheduler.task_runs AS run
        WHERE run.task_id = waited.task_id AND run.scheduled_at = waited.scheduled_at
          AND run.interval_to IS NOT NULL AND run.group_id IS NULL
          AND run.status IN ('COMPLETED', 'FAILED', 'RUNNING')
        ORDER BY run.id DESC
        LIMIT 1
    ) AS latest
    WHERE changed.is_again AND coalesce(latest.started_at < changed.completed_at, true)
    ORDER BY latest.id, changed.completed_at DESC
), stale AS MATERIALIZED (
    SELECT run.id FROM scheduler.task_runs AS run
    WHERE run.id = ANY(ARRAY(SELECT id FROM again)) ORDER BY run.id FOR NO KEY UPDATE
), marked AS (
    UPDATE scheduler.task_runs AS run
    SET stale_since = coalesce(%(now)s::timestamptz, clock_timestamp()), stale_run_id = again.upstream_run_id
    FROM again
    JOIN stale USING (id)
    WHERE run.id = again.id
)
SELECT DISTINCT run_id, position FROM changed
