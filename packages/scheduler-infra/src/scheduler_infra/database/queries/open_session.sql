-- A new session with a full lease; a live one of the same worker id violates uq_worker_sessions_worker_id.
-- It claims what is granted to it, as sessions of earlier versions do not.
-- That a worker was told to take nothing new holds for its next session, too. Who tells it so in this moment is waited
-- for, or waits and then finds this session.
INSERT INTO scheduler.worker_sessions (worker_id, hostname, pid, boot_id, process_started_at, state, queues, task_types,
                                       places, lease_seconds, lease_expires_at, version, python_version, tags,
                                       resources, started_at, last_heartbeat_at, drain_requested, draining,
                                       takes_grants)
SELECT %(worker_id)s, %(hostname)s, %(pid)s, %(boot_id)s, %(process_started_at)s, 'ALIVE', %(queues)s::text[],
       %(task_types)s::text[], %(places)s, %(lease_seconds)s, now + %(lease_seconds)s * interval '1 second',
       %(version)s, %(python_version)s, %(tags)s::text[], %(resources)s::jsonb, now, now, is_drained, is_drained,
       true
FROM (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now) AS moment
CROSS JOIN (SELECT coalesce((SELECT former.drain_requested
                             FROM scheduler.worker_sessions AS former
                             WHERE former.worker_id = %(worker_id)s
                             ORDER BY former.id DESC
                             LIMIT 1
                             FOR SHARE), false) AS is_drained) AS former
RETURNING id
