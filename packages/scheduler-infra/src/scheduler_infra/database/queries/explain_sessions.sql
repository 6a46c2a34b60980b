-- The sessions that are ALIVE, what they offer, and how many of their places are free.
SELECT session.id, session.worker_id, session.queues, session.task_types, session.places,
       greatest(0, session.places - (SELECT count(*) FROM scheduler.task_runs AS run
                                     WHERE run.session_id = session.id AND run.status = 'RUNNING')) AS free,
       session.draining AS is_draining,
       session.lease_expires_at > coalesce(%(now)s::timestamptz, clock_timestamp()) AS has_lease,
       session.tags, session.resources
FROM scheduler.worker_sessions AS session
WHERE session.state = 'ALIVE'
ORDER BY session.id
