-- A session that is alive gets a full lease again and is told which runs it holds. No row: it is not alive.
-- Only whoever reaps ends a session. That its lease has passed by the wall clock proves nothing: the clock may have been
-- set, and nobody has its runs as long as it is ALIVE.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), renewed AS (
    UPDATE scheduler.worker_sessions AS session
    SET lease_expires_at = coalesce(%(now)s::timestamptz, clock_timestamp()) + lease_seconds * interval '1 second',
        last_heartbeat_at = moment.now,
        renewals = renewals + 1,
        draining = %(draining)s OR session.drain_requested,
        load = coalesce(%(load)s::jsonb, session.load),
        places = coalesce(%(places)s::integer, session.places)
    FROM moment
    WHERE session.id = %(session_id)s AND session.state = 'ALIVE'
    RETURNING session.id
)
SELECT run.id AS run_id, run.attempt, run.cancel_requested, coalesce(run.pause_requested, false) AS pause_requested
FROM renewed
LEFT JOIN scheduler.task_runs AS run ON run.session_id = renewed.id AND run.status = 'RUNNING'
