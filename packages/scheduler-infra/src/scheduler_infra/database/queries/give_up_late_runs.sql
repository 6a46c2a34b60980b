-- Up to `limit` runs that nobody has begun and whose time to begin is over are TIMEOUT, the oldest first: they have waited
-- too long for their first start, or the time of all their attempts is over. Runs that others hold are left to them.
-- A worker of version 0005 starts runs and leaves their start_before as it was: after a start only end_before counts.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), late AS MATERIALIZED (
    SELECT run.id, run.attempt, run.end_before
    FROM scheduler.task_runs AS run
    WHERE run.start_before IS NOT NULL AND run.start_before <= (SELECT now FROM moment)
      AND CASE run.status WHEN 'PENDING' THEN true WHEN 'DISPATCHED' THEN true ELSE false END
    ORDER BY run.start_before
    LIMIT %(limit)s
    FOR NO KEY UPDATE SKIP LOCKED
), ended AS MATERIALIZED (
    SELECT late.id
    FROM late CROSS JOIN moment
    WHERE late.attempt = 0 OR late.end_before <= moment.now
), spared AS (
    UPDATE scheduler.task_runs AS run
    SET start_before = run.end_before
    WHERE run.id = ANY(ARRAY(SELECT id FROM late WHERE id NOT IN (SELECT id FROM ended)))
)
UPDATE scheduler.task_runs AS run
SET status = 'TIMEOUT', completed_at = moment.now, held = false, stream_id = NULL, limit_key_ids = NULL,
    assigned_to = NULL, offered_at = NULL,
    error = CASE WHEN run.attempt = 0
                 THEN format('It waited longer than queue_timeout_seconds (%%s s) for a worker.', run.queue_timeout_seconds)
                 ELSE format('total_timeout_seconds (%%s s) were over before another attempt had begun.',
                             run.total_timeout_seconds) END
FROM moment
WHERE run.id = ANY(ARRAY(SELECT id FROM ended))
RETURNING run.id, run.needs_settlement
