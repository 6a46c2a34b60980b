-- Grants end of which nothing is left, whose session takes nothing any more, or that have not been used up in time: what
-- is left of them waits in its stream again. In time is within `timeout`, and while the places of the session are full of
-- runs within `ahead`: what was given to it beyond them has turned out not to be short. Of each session is told how many
-- were left of them, and whether it has let some wait for `timeout` although it had room (`is_missed`).
-- Whether runs of a grant have gone another way, such as cancelled ones, is looked up once it is a second old.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), held AS MATERIALIZED (
    SELECT DISTINCT run.session_id, run.stream_id, run.granted_at
    FROM moment
    JOIN scheduler.granted_runs AS run
        ON run.granted_at < moment.now - least(1, %(timeout)s) * interval '1 second'
), full_session AS MATERIALIZED (
    SELECT session.id
    FROM scheduler.worker_sessions AS session
    WHERE session.id = ANY(ARRAY(SELECT session_id FROM held))
      AND session.places <= (SELECT count(*) FROM scheduler.task_runs AS run
                             WHERE run.session_id = session.id AND run.status = 'RUNNING')
), ended AS (
    DELETE FROM scheduler.run_grants AS past
    USING moment
    WHERE past.run_ids = '{}'
       OR past.granted_at < moment.now - %(timeout)s * interval '1 second'
       OR (past.granted_at < moment.now - %(ahead)s * interval '1 second'
           AND past.session_id IN (SELECT id FROM full_session))
       OR NOT EXISTS (SELECT FROM scheduler.worker_sessions AS session
                      WHERE session.id = past.session_id AND session.state = 'ALIVE' AND NOT session.draining)
       OR (past.granted_at < moment.now - interval '1 second'
           AND NOT EXISTS (SELECT FROM held
                           WHERE held.session_id = past.session_id AND held.stream_id = past.stream_id
                             AND held.granted_at = past.granted_at))
    RETURNING past.session_id, past.stream_id, past.granted_at, cardinality(past.run_ids) AS runs
)
SELECT ended.session_id, sum(ended.runs)::integer AS runs,
       bool_or(held.session_id IS NOT NULL AND held.session_id NOT IN (SELECT id FROM full_session)) AS is_missed
FROM ended
LEFT JOIN held ON held.session_id = ended.session_id AND held.stream_id = ended.stream_id
    AND held.granted_at = ended.granted_at
GROUP BY ended.session_id
