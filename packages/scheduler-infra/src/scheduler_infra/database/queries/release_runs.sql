-- Waiting runs become claimable, each as decided, and how far keys and queues have been served is written. Runs that have
-- been paused, changed or cancelled since, or that others hold, are left out.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), served AS (
    UPDATE scheduler.fairness_keys AS key
    SET virtual_time = progress.virtual_time
    FROM unnest(%(fairness_ids)s::bigint[], %(virtual_times)s::double precision[]) AS progress(id, virtual_time)
    WHERE key.id = progress.id
), clock AS (
    INSERT INTO scheduler.fairness_clocks (queue, background, virtual_time)
    SELECT queue, background, virtual_time
    FROM unnest(%(clock_queues)s::text[], %(clock_backgrounds)s::boolean[], %(clock_times)s::double precision[])
        AS progress(queue, background, virtual_time)
    ON CONFLICT (queue, background) DO UPDATE SET virtual_time = excluded.virtual_time
), locked AS MATERIALIZED (
    SELECT run.id
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(%(run_ids)s::bigint[]) AND run.status = 'PENDING' AND run.stream_id IS NOT NULL
      AND NOT run.held AND run.waiting_on = 0
    ORDER BY run.id
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE scheduler.task_runs AS run
SET status = 'DISPATCHED', claim_at = wish.claim_at, assigned_to = wish.session_id, offered_at = moment.now
FROM unnest(%(run_ids)s::bigint[], %(claim_ats)s::timestamptz[], %(session_ids)s::bigint[])
    AS wish(run_id, claim_at, session_id)
CROSS JOIN moment
WHERE run.id = ANY(ARRAY(SELECT id FROM locked)) AND run.id = wish.run_id
RETURNING run.id, run.flow_id, run.task_id, run.status, run.queue, run.task_type, run.scheduled_at, run.assigned_to
