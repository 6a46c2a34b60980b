-- Live sessions with free places that can take some of these lanes, the emptiest first, equals in random order: for each
-- lane no more of them than there are runs in all, since those of other lanes can take no more of them away. `lanes` are
-- the places in the list of lanes, counted from 1.
WITH wanted AS MATERIALIZED (
    SELECT queue, task_type, lane
    FROM unnest(%(queues)s::text[], %(task_types)s::text[]) WITH ORDINALITY AS wish(queue, task_type, lane)
), free AS MATERIALIZED (
    SELECT session.id, session.queues, session.task_types, random() AS chance,
           session.places - (SELECT count(*) FROM scheduler.task_runs AS run
                             WHERE run.session_id = session.id AND run.status = 'RUNNING') AS places
    FROM scheduler.worker_sessions AS session
    WHERE session.state = 'ALIVE' AND NOT session.draining
      AND session.lease_expires_at > coalesce(%(now)s::timestamptz, clock_timestamp())
      AND EXISTS (SELECT FROM wanted
                  WHERE wanted.queue = ANY(session.queues) AND wanted.task_type = ANY(session.task_types))
), ranked AS (
    SELECT free.id, free.places, free.chance, wanted.lane,
           row_number() OVER (PARTITION BY wanted.lane ORDER BY free.places DESC, free.chance) AS rank
    FROM wanted
    JOIN free ON free.places > 0 AND wanted.queue = ANY(free.queues) AND wanted.task_type = ANY(free.task_types)
)
SELECT id, places, array_agg(lane) AS lanes
FROM ranked
WHERE rank <= %(runs)s
GROUP BY id, places, chance
ORDER BY places DESC, chance
