-- Claimable gated runs wait in their streams again: those meant for a session that has not taken them in time, or takes
-- nothing any more, and those of lanes that no session takes any more.
-- Told of each: the session that let it wait, where that is still alive.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), stale AS MATERIALIZED (
    SELECT run.id
    FROM scheduler.task_runs AS run
    CROSS JOIN moment
    WHERE run.status = 'DISPATCHED' AND run.stream_id IS NOT NULL
      AND (run.assigned_to IS NOT NULL AND run.offered_at < moment.now - %(timeout)s * interval '1 second'
           OR NOT EXISTS (SELECT FROM scheduler.worker_sessions AS session
                          WHERE session.state = 'ALIVE' AND NOT session.draining
                            AND CASE WHEN run.assigned_to IS NOT NULL THEN session.id = run.assigned_to
                                     ELSE (run.queue = ANY(session.queues) OR run.queue = '@' || session.worker_id)
                                          AND run.task_type = ANY(session.task_types) END))
), locked AS MATERIALIZED (
    SELECT run.id, run.assigned_to
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(ARRAY(SELECT id FROM stale)) AND run.status = 'DISPATCHED' AND run.stream_id IS NOT NULL
    ORDER BY run.id
    FOR NO KEY UPDATE SKIP LOCKED
), recalled AS (
    UPDATE scheduler.task_runs AS run
    SET status = 'PENDING', assigned_to = NULL, offered_at = NULL,
        claim_at = scheduler.claim_at_of(run.attempt, run.not_before, run.scheduled_at, run.created_at, run.priority)
    WHERE run.id = ANY(ARRAY(SELECT id FROM locked))
)
SELECT locked.id, session.id AS session_id
FROM locked
LEFT JOIN scheduler.worker_sessions AS session
    ON session.id = locked.assigned_to AND session.state = 'ALIVE' AND NOT session.draining
