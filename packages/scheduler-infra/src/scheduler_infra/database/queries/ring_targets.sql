-- Live sessions with free places that can take these lanes: per lane at most one for each run, emptiest first.
WITH wanted AS MATERIALIZED (
    SELECT queue, task_type, runs
    FROM unnest(%(queues)s::text[], %(task_types)s::text[], %(counts)s::integer[]) AS wish(queue, task_type, runs)
), free AS MATERIALIZED (
    SELECT session.id, session.queues, session.task_types,
           session.places - (SELECT count(*) FROM scheduler.task_runs AS run
                             WHERE run.session_id = session.id AND run.status = 'RUNNING') AS places
    FROM scheduler.worker_sessions AS session
    WHERE session.state = 'ALIVE' AND NOT session.draining
      AND session.lease_expires_at > coalesce(%(now)s::timestamptz, clock_timestamp())
), ranked AS (
    SELECT free.id, wanted.runs,
           row_number() OVER (PARTITION BY wanted.queue, wanted.task_type ORDER BY free.places DESC, random()) AS rank
    FROM wanted
    JOIN free ON free.places > 0 AND wanted.queue = ANY(free.queues) AND wanted.task_type = ANY(free.task_types)
)
SELECT DISTINCT id FROM ranked WHERE rank <= runs
