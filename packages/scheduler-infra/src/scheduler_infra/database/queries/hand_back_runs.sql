-- Attempts given up without an outcome: back to PENDING, or CANCELLED when that was asked for.
-- With a `delay` they are offered again only after that many seconds, twice as many each time, a minute at most.
-- With no attempt named (run_ids IS NULL) everything the session holds, as it does at its end. No row at all: the session
-- is not alive.
WITH session AS MATERIALIZED (
    SELECT id, coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
    FROM scheduler.worker_sessions
    WHERE id = %(session_id)s AND state = 'ALIVE'
    FOR SHARE
), held AS MATERIALIZED (
    SELECT run.id, run.attempt, run.started_at
    FROM scheduler.task_runs AS run
    WHERE run.status = 'RUNNING' AND run.session_id = (SELECT id FROM session)
      AND (%(run_ids)s::bigint[] IS NULL
           OR EXISTS (SELECT FROM unnest(%(run_ids)s::bigint[], %(attempts)s::integer[]) AS given(run_id, attempt)
                      WHERE given.run_id = run.id AND given.attempt = run.attempt))
    ORDER BY run.id
    FOR NO KEY UPDATE
), past_attempt AS (
    INSERT INTO scheduler.task_run_attempts (run_id, attempt, session_id, started_at, ended_at, outcome, error)
    SELECT held.id, held.attempt, session.id, held.started_at, session.now, 'HANDED_BACK', 'The worker gave the run back.'
    FROM held CROSS JOIN session
), freed AS (
    UPDATE scheduler.task_runs AS run
    SET status = CASE WHEN run.cancel_requested THEN 'CANCELLED' ELSE 'PENDING' END,
        completed_at = CASE WHEN run.cancel_requested THEN session.now END,
        session_id = CASE WHEN run.cancel_requested THEN run.session_id END,
        stream_id = NULL, assigned_to = NULL, offered_at = NULL, pause_requested = NULL, paused_at = NULL,
        start_before = CASE WHEN NOT run.cancel_requested
                            THEN run.end_before + coalesce(session.now - run.paused_at, interval '0') END,
        end_before = run.end_before + coalesce(session.now - run.paused_at, interval '0'),
        hand_backs = run.hand_backs + 1,
        not_before = session.now
                     + least(%(delay)s * power(2, least(run.hand_backs, 10)), 60) * interval '1 second'
    FROM session
    WHERE run.id = ANY(ARRAY(SELECT id FROM held))
    RETURNING run.id, run.status
)
SELECT freed.id AS run_id, freed.status
FROM session
LEFT JOIN freed ON true
