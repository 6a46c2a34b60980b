-- What has come of the wish to stand still, told of attempts that the session still holds: 'PAUSED' since now, 'RESUMED',
-- with the time of all attempts put off by what it stood still, or 'REFUSED', which takes the wish back. What it holds no
-- longer is untouched. No row at all: the session is not alive.
WITH session AS MATERIALIZED (
    SELECT id, coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
    FROM scheduler.worker_sessions
    WHERE id = %(session_id)s AND state = 'ALIVE'
    FOR SHARE
), held AS MATERIALIZED (
    SELECT run.id, run.status, run.session_id, run.attempt
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(%(run_ids)s::bigint[]) AND EXISTS (SELECT FROM session)
    ORDER BY run.id
    FOR NO KEY UPDATE
), told AS (
    UPDATE scheduler.task_runs AS run
    SET paused_at = CASE WHEN report.what = 'PAUSED' THEN coalesce(run.paused_at, session.now) END,
        end_before = CASE WHEN report.what = 'PAUSED' THEN run.end_before
                          ELSE run.end_before + coalesce(session.now - run.paused_at, interval '0') END,
        pause_requested = CASE WHEN report.what <> 'REFUSED' THEN run.pause_requested END
    FROM held
    CROSS JOIN session
    JOIN unnest(%(run_ids)s::bigint[], %(attempts)s::integer[], %(verdicts)s::text[]) AS report(run_id, attempt, what)
        ON report.run_id = held.id AND report.attempt = held.attempt
    WHERE run.id = held.id AND held.status = 'RUNNING' AND held.session_id = session.id
    RETURNING run.id
)
SELECT session.id AS session_id, told.id AS run_id FROM session LEFT JOIN told ON true
