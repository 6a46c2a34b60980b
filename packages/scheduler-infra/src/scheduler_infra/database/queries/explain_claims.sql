-- What the live sessions will take before each of the given runs: the lanes of the first of those runs, in the order of
-- claims, no more of a lane than there are free places, and how many there are in the run's own lane, up to a limit.
-- Each lane is looked at in its own index. Runs that are about to be admitted are looked at oldest first, up to a limit;
-- a condition that has yet to be evaluated counts as true.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), subject AS MATERIALIZED (
    SELECT run.id, run.priority, run.queue, run.task_type
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(%(run_ids)s::bigint[])
), session AS MATERIALIZED (
    SELECT session.queues || ('@' || session.worker_id) AS queues, session.task_types,
           greatest(0, session.places - (SELECT count(*) FROM scheduler.task_runs AS run
                                         WHERE run.session_id = session.id AND run.status = 'RUNNING')) AS free
    FROM scheduler.worker_sessions AS session
    CROSS JOIN moment
    WHERE session.state = 'ALIVE' AND NOT session.draining AND session.lease_expires_at > moment.now
), lane AS MATERIALIZED (
    SELECT DISTINCT queue.name AS queue, task_type.name AS task_type
    FROM session
    CROSS JOIN LATERAL unnest(session.queues) AS queue(name)
    CROSS JOIN LATERAL unnest(session.task_types) AS task_type(name)
), admissible AS MATERIALIZED (
    SELECT run.id, run.priority, run.queue, run.task_type
    FROM scheduler.task_runs AS run
    CROSS JOIN moment
    JOIN scheduler.tasks ON tasks.id = run.task_id
    WHERE %(with_pending)s AND run.status = 'PENDING' AND run.waiting_on = 0 AND NOT run.held
      AND run.not_before <= (SELECT now FROM moment) AND tasks.status = 'ACTIVE'
      AND (run.expands IS NOT TRUE
           OR NOT (SELECT version.flow_options ?| ARRAY['sub_flow', 'shards', 'map_over', 'broadcast']
                   FROM scheduler.task_versions AS version WHERE version.id = run.task_version_id))
    ORDER BY run.not_before, run.id
    LIMIT %(limit)s
)
SELECT subject.id AS run_id, coalesce(first_ones.lanes, '[]') AS ahead, own_lane.runs AS ahead_in_lane
FROM subject
CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('queue', one.queue, 'task_type', one.task_type)
                     ORDER BY one.priority DESC, one.id) AS lanes
    FROM (
        SELECT run.*
        FROM lane
        CROSS JOIN LATERAL (
            SELECT waiting.*
            FROM (
                (SELECT run.id, run.priority, run.queue, run.task_type
                 FROM scheduler.task_runs AS run
                 WHERE run.status = 'DISPATCHED' AND run.queue = lane.queue AND run.task_type = lane.task_type
                 ORDER BY run.priority DESC, run.id
                 LIMIT (SELECT sum(free) FROM session))
                UNION ALL
                SELECT * FROM admissible
                WHERE admissible.queue = lane.queue AND admissible.task_type = lane.task_type
            ) AS waiting
            WHERE (-waiting.priority, waiting.id) < (-subject.priority, subject.id)
            ORDER BY waiting.priority DESC, waiting.id
            LIMIT (SELECT sum(free) FROM session)
        ) AS run
    ) AS one
) AS first_ones
CROSS JOIN LATERAL (
    SELECT count(*) AS runs
    FROM (
        SELECT FROM scheduler.task_runs AS run
        WHERE run.status = 'DISPATCHED' AND run.queue = subject.queue AND run.task_type = subject.task_type
          AND run.id <> subject.id AND (-run.priority, run.id) < (-subject.priority, subject.id)
        LIMIT %(limit)s
    ) AS counted
) AS own_lane
ORDER BY subject.id
