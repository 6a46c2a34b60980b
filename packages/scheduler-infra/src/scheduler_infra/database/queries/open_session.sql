-- A new session with a full lease; a live one of the same worker id violates uq_worker_sessions_worker_id.
INSERT INTO scheduler.worker_sessions (worker_id, hostname, pid, boot_id, process_started_at, state, queues, task_types,
                                       places, lease_seconds, lease_expires_at, version, tags, resources, started_at,
                                       last_heartbeat_at)
SELECT %(worker_id)s, %(hostname)s, %(pid)s, %(boot_id)s, %(process_started_at)s, 'ALIVE', %(queues)s::text[],
       %(task_types)s::text[], %(places)s, %(lease_seconds)s, now + %(lease_seconds)s * interval '1 second',
       %(version)s, %(tags)s::text[], %(resources)s::jsonb, now, now
FROM (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now) AS moment
RETURNING id
