-- A session that is alive says goodbye.
UPDATE scheduler.worker_sessions AS session
SET state = 'ENDED', ended_at = moment.now
FROM (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now) AS moment
WHERE session.id = %(session_id)s AND session.state = 'ALIVE'
RETURNING session.id
