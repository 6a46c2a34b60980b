-- Declares sessions LOST and moves their runs on, in one transaction, so that nothing slips between two scans.
-- The predicate "expired" is repeated under the lock: a session that renewed meanwhile is left alone. With `force` the
-- lease does not matter (its process is known to be dead). Runs of any session that is not ALIVE are swept up as well.
-- A run that has lost as many sessions as its definition allows (max_losses) is QUARANTINED.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), expired AS MATERIALIZED (
    SELECT session.id
    FROM scheduler.worker_sessions AS session
    WHERE session.id = ANY(%(session_ids)s::bigint[]) AND session.state = 'ALIVE'
      AND (%(force)s OR session.lease_expires_at < coalesce(%(now)s::timestamptz, clock_timestamp()))
    ORDER BY session.id
    FOR UPDATE
), lost AS (
    UPDATE scheduler.worker_sessions AS session
    SET state = 'LOST', ended_at = moment.now
    FROM moment
    WHERE session.id = ANY(ARRAY(SELECT id FROM expired))
    RETURNING session.id
), orphan AS MATERIALIZED (
    SELECT run.id, run.attempt, run.session_id, run.started_at, run.cancel_requested,
           run.losses + 1 >= coalesce((version.dispatch_options ->> 'max_losses')::integer, %(max_losses)s) AS is_last
    FROM scheduler.task_runs AS run
    JOIN scheduler.worker_sessions AS session ON session.id = run.session_id
    JOIN scheduler.task_versions AS version ON version.id = run.task_version_id
    WHERE run.status = 'RUNNING'
      AND (session.state <> 'ALIVE' OR session.id = ANY(ARRAY(SELECT id FROM expired)))
    ORDER BY run.id
    FOR NO KEY UPDATE OF run
), past_attempt AS (
    INSERT INTO scheduler.task_run_attempts (run_id, attempt, session_id, started_at, ended_at, outcome, error)
    SELECT orphan.id, orphan.attempt, orphan.session_id, orphan.started_at, moment.now, 'LOST',
           'The worker session was lost.'
    FROM orphan CROSS JOIN moment
    WHERE NOT orphan.cancel_requested AND NOT orphan.is_last
), freed AS (
    UPDATE scheduler.task_runs AS run
    SET status = CASE WHEN run.cancel_requested THEN 'CANCELLED'
                      WHEN orphan.is_last THEN 'QUARANTINED'
                      ELSE 'PENDING' END,
        stream_id = NULL, assigned_to = NULL, offered_at = NULL, pause_requested = NULL, paused_at = NULL,
        start_before = CASE WHEN NOT run.cancel_requested AND NOT orphan.is_last
                            THEN run.end_before + coalesce(moment.now - run.paused_at, interval '0') END,
        end_before = run.end_before + coalesce(moment.now - run.paused_at, interval '0'),
        losses = run.losses + 1,
        session_id = CASE WHEN run.cancel_requested OR orphan.is_last THEN run.session_id END,
        completed_at = CASE WHEN run.cancel_requested OR orphan.is_last THEN moment.now END,
        error = CASE WHEN run.cancel_requested THEN 'Cancelled; its worker session was lost.'
                     WHEN orphan.is_last
                     THEN format('Its worker session was lost %%s, so it is not tried again.',
                                 CASE run.losses WHEN 0 THEN 'once' ELSE format('%%s times', run.losses + 1) END)
                     ELSE run.error END,
        not_before = moment.now
    FROM orphan CROSS JOIN moment
    WHERE run.id = orphan.id
    RETURNING run.id, orphan.session_id, run.status, run.losses
)
SELECT id AS run_id, session_id, status, losses FROM freed ORDER BY id
