-- Takes the one row under whose lock windows are decided, and says what there is to do. No row: another dispatcher has it.
-- What there is to do is looked up beside it, by index: an idle look costs this one statement.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), held AS MATERIALIZED (
    SELECT id FROM scheduler.dispatch_state WHERE id = 1 FOR UPDATE SKIP LOCKED
), first_gated AS MATERIALIZED (
    SELECT min(run.not_before) AS not_before
    FROM scheduler.task_runs AS run
    WHERE run.status = 'PENDING' AND run.waiting_on = 0 AND NOT run.held AND run.gated AND run.stream_id IS NULL
      AND run.expands IS NOT TRUE
)
SELECT coalesce(first_gated.not_before <= moment.now, false) AS has_unsorted,
       EXISTS (SELECT FROM scheduler.task_runs AS run WHERE run.status = 'PENDING' AND run.stream_id IS NOT NULL)
       OR EXISTS (SELECT FROM scheduler.task_runs AS run WHERE run.status = 'DISPATCHED' AND run.stream_id IS NOT NULL)
           AS has_streams,
       EXISTS (SELECT FROM scheduler.run_grants WHERE run_ids <> '{}') AS has_grants,
       CASE WHEN first_gated.not_before > moment.now
            THEN extract(epoch FROM first_gated.not_before - moment.now)::double precision END AS seconds_to_next
FROM held
CROSS JOIN moment
CROSS JOIN first_gated
