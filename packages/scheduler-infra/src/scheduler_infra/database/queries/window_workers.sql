-- Live sessions that take new runs, and what they run or are meant to: by stream, NULL for runs that are in none. Of what
-- runs, also when the last one was started.
SELECT session.id AS session_id, session.worker_id, session.queues, session.task_types, session.tags, session.places,
       session.resources, session.takes_grants,
       coalesce((SELECT jsonb_agg(jsonb_build_array(held.stream_id, held.task_type, held.count,
                                                   held.seconds))
                 FROM (SELECT run.stream_id, run.task_type, count(*) AS count,
                              coalesce(extract(epoch FROM moment.now - max(run.started_at)), 0)::double precision
                                  AS seconds
                       FROM scheduler.task_runs AS run
                       WHERE run.session_id = session.id AND run.status = 'RUNNING'
                       GROUP BY run.stream_id, run.task_type) AS held), '[]') AS running,
       coalesce((SELECT jsonb_agg(jsonb_build_array(given.stream_id, given.task_type, given.count))
                 FROM (SELECT run.stream_id, run.task_type, count(*) AS count
                       FROM scheduler.task_runs AS run
                       WHERE run.assigned_to = session.id AND run.status = 'DISPATCHED'
                       GROUP BY run.stream_id, run.task_type
                       UNION ALL
                       SELECT stream.id, stream.key ->> 'task_type', sum(cardinality(run_grants.run_ids))
                       FROM scheduler.run_grants
                       JOIN scheduler.dispatch_streams AS stream ON stream.id = run_grants.stream_id
                       WHERE run_grants.session_id = session.id
                       GROUP BY stream.id) AS given), '[]') AS assigned
FROM scheduler.worker_sessions AS session
CROSS JOIN (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now) AS moment
WHERE session.state = 'ALIVE' AND NOT session.draining
  AND session.lease_expires_at > moment.now
ORDER BY session.id
