-- Outcomes of attempts that the session still holds. What it no longer holds (another attempt, another session, a
-- final status) is left out of the answer and untouched. No row at all: the session is not alive.
-- The fence (status, attempt, session) is tested on the locked rows, not while finding them: with such a condition the
-- planner prefers a partial index that is full of entries of runs that have long moved on.
-- A failure with a delay is tried again unless its failures have reached max_retries, or its next attempt would begin after
-- end_before; a flagged cancel wins over all. The end of a pause may not have been told yet: then time stood still until
-- now. SKIPPED is what the job asked for.
WITH session AS MATERIALIZED (
    SELECT id, coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
    FROM scheduler.worker_sessions
    WHERE id = %(session_id)s AND state = 'ALIVE'
    FOR SHARE
), held AS MATERIALIZED (
    SELECT run.id, run.status, run.session_id, run.attempt, run.failures, run.max_retries, run.cancel_requested,
           run.started_at, run.end_before + coalesce(session.now - run.paused_at, interval '0') AS end_before
    FROM scheduler.task_runs AS run
    CROSS JOIN session
    WHERE run.id = ANY(%(run_ids)s::bigint[])
    ORDER BY run.id
    FOR NO KEY UPDATE OF run
), verdict AS MATERIALIZED (
    SELECT held.id, held.attempt, held.started_at, held.end_before, report.status AS outcome, report.result,
           report.error, report.delay,
           CASE
               WHEN report.status = 'COMPLETED' THEN 'COMPLETED'
               WHEN report.status = 'CANCELLED' OR held.cancel_requested THEN 'CANCELLED'
               WHEN report.delay IS NOT NULL AND held.failures < held.max_retries
                    AND (held.end_before IS NULL
                         OR session.now + report.delay * interval '1 second' < held.end_before) THEN 'PENDING'
               ELSE report.status
           END AS status,
           report.delay IS NOT NULL AND held.failures < held.max_retries AS is_retried
    FROM held
    CROSS JOIN session
    JOIN unnest(%(run_ids)s::bigint[], %(attempts)s::integer[], %(statuses)s::text[], %(results)s::text[],
                %(errors)s::text[], %(delays)s::double precision[])
        AS report(run_id, attempt, status, result, error, delay)
        ON report.run_id = held.id AND report.attempt = held.attempt
    WHERE held.status = 'RUNNING' AND held.session_id = (SELECT id FROM session)
), past_attempt AS (
    INSERT INTO scheduler.task_run_attempts (run_id, attempt, session_id, started_at, ended_at, outcome, error)
    SELECT verdict.id, verdict.attempt, session.id, verdict.started_at, session.now, verdict.outcome, verdict.error
    FROM verdict CROSS JOIN session
    WHERE verdict.status = 'PENDING'
), finished AS (
    UPDATE scheduler.task_runs AS run
    SET status = verdict.status,
        completed_at = CASE WHEN verdict.status <> 'PENDING' THEN session.now END,
        not_before = CASE WHEN verdict.status = 'PENDING' THEN session.now + verdict.delay * interval '1 second'
                          ELSE run.not_before END,
        session_id = CASE WHEN verdict.status = 'PENDING' THEN NULL ELSE run.session_id END,
        stream_id = CASE WHEN verdict.status <> 'PENDING' THEN run.stream_id END,
        assigned_to = NULL, offered_at = NULL, pause_requested = NULL, paused_at = NULL,
        start_before = CASE WHEN verdict.status = 'PENDING' THEN verdict.end_before END,
        end_before = verdict.end_before,
        skip_reason = CASE WHEN verdict.status = 'SKIPPED' THEN 'JOB_ASKED' END,
        failures = run.failures + (verdict.outcome IN ('FAILED', 'TIMEOUT'))::integer,
        result = verdict.result::jsonb,
        error = CASE WHEN verdict.is_retried AND verdict.status IN ('FAILED', 'TIMEOUT')
                     THEN concat_ws(' ', verdict.error, 'It is not tried again: total_timeout_seconds ('
                                    || run.total_timeout_seconds::text || ' s) would be over by then.')
                     ELSE verdict.error END
    FROM verdict CROSS JOIN session
    WHERE run.id = verdict.id
    RETURNING run.id, run.status, run.needs_settlement, run.gated
)
SELECT finished.id AS run_id, finished.status, finished.needs_settlement, coalesce(finished.gated, false) AS is_gated
FROM session
LEFT JOIN finished ON true
