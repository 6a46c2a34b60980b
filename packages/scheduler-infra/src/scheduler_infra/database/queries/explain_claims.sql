-- What the live sessions will take before each of the given runs: the first of those runs in the order of claims (claim_at,
-- then id), no more of a lane or of those meant for one session than there are free places, and how many there are up to a
-- limit that who takes the run could take as well. A run's own place in that order may be given by `claim_ats`.
-- Each lane is looked at in its own index. Runs that are about to be admitted are looked at oldest first, up to a limit;
-- a condition that has yet to be evaluated counts as true. Of gated runs those are about to be that are given. What
-- waits for others, or for its condition, gets its place when it does so no more.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), granted AS MATERIALIZED (
    SELECT run.id, run.session_id, run.claim_at, run.queue, run.task_type FROM scheduler.granted_runs AS run
), subject AS MATERIALIZED (
    SELECT run.id, run.queue, run.task_type,
           coalesce(run.assigned_to, (SELECT granted.session_id FROM granted WHERE granted.id = run.id LIMIT 1))
               AS assigned_to,
           coalesce(given.claim_at,
                    CASE WHEN run.status = 'PENDING'
                         THEN scheduler.claim_at(CASE WHEN run.waiting_on > 0 OR run.expands
                                                      THEN greatest(run.not_before, moment.now)
                                                      ELSE run.not_before END, run.priority)
                         ELSE run.claim_at END,
                    '-infinity') AS claim_at
    FROM unnest(%(run_ids)s::bigint[], %(claim_ats)s::timestamptz[]) AS given(run_id, claim_at)
    JOIN scheduler.task_runs AS run ON run.id = given.run_id
    CROSS JOIN moment
), session AS MATERIALIZED (
    SELECT session.id, session.queues || ('@' || session.worker_id) AS queues, session.task_types,
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
    SELECT run.id, run.queue, run.task_type,
           scheduler.claim_at(CASE WHEN run.expands THEN moment.now ELSE run.not_before END, run.priority) AS claim_at
    FROM scheduler.task_runs AS run
    CROSS JOIN moment
    JOIN scheduler.tasks ON tasks.id = run.task_id
    WHERE %(with_pending)s AND run.status = 'PENDING' AND run.waiting_on = 0 AND NOT run.held
      AND run.stream_id IS NULL AND run.gated IS NOT TRUE
      AND run.not_before <= (SELECT now FROM moment) AND tasks.status = 'ACTIVE'
      AND (run.expands IS NOT TRUE
           OR NOT (SELECT version.flow_options ?| ARRAY['sub_flow', 'shards', 'map_over', 'broadcast']
                   FROM scheduler.task_versions AS version WHERE version.id = run.task_version_id))
    ORDER BY run.not_before, run.id
    LIMIT %(limit)s
), released AS MATERIALIZED (
    SELECT run.id, wish.claim_at, run.queue, run.task_type, wish.session_id
    FROM unnest(%(released_ids)s::bigint[], %(released_ats)s::timestamptz[], %(released_sessions)s::bigint[])
        AS wish(run_id, claim_at, session_id)
    JOIN scheduler.task_runs AS run ON run.id = wish.run_id
    WHERE run.status = 'PENDING'
)
SELECT subject.id AS run_id, coalesce(first_ones.runs, '[]') AS ahead, own_lane.runs AS ahead_in_lane
FROM subject
CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('queue', one.queue, 'task_type', one.task_type, 'session_id', one.session_id)
                     ORDER BY one.claim_at, one.id) AS runs
    FROM (
        SELECT of_lane.*
        FROM lane
        CROSS JOIN LATERAL (
            SELECT waiting.*
            FROM (
                (SELECT run.id, coalesce(run.claim_at, '-infinity') AS claim_at, run.queue, run.task_type,
                        NULL::bigint AS session_id
                 FROM scheduler.task_runs AS run
                 WHERE run.status = 'DISPATCHED' AND run.assigned_to IS NULL
                   AND run.queue = lane.queue AND run.task_type = lane.task_type
                 ORDER BY run.claim_at NULLS FIRST, run.id
                 LIMIT (SELECT sum(free) FROM session))
                UNION ALL
                SELECT admissible.id, admissible.claim_at, admissible.queue, admissible.task_type, NULL
                FROM admissible
                WHERE admissible.queue = lane.queue AND admissible.task_type = lane.task_type
                UNION ALL
                SELECT released.id, released.claim_at, released.queue, released.task_type, NULL
                FROM released
                WHERE released.queue = lane.queue AND released.task_type = lane.task_type AND released.session_id IS NULL
            ) AS waiting
            WHERE waiting.id <> subject.id AND (waiting.claim_at, waiting.id) < (subject.claim_at, subject.id)
            ORDER BY waiting.claim_at, waiting.id
            LIMIT (SELECT sum(free) FROM session)
        ) AS of_lane
        UNION ALL
        SELECT given.*
        FROM session
        CROSS JOIN LATERAL (
            SELECT meant.*
            FROM (
                (SELECT run.id, run.claim_at, run.queue, run.task_type, run.assigned_to AS session_id
                 FROM scheduler.task_runs AS run
                 WHERE run.status = 'DISPATCHED' AND run.assigned_to = session.id
                 ORDER BY run.claim_at, run.id
                 LIMIT session.free + 1)
                UNION ALL
                SELECT granted.id, granted.claim_at, granted.queue, granted.task_type, granted.session_id
                FROM granted
                WHERE granted.session_id = session.id
                UNION ALL
                SELECT released.* FROM released WHERE released.session_id = session.id
            ) AS meant
            WHERE meant.id <> subject.id AND (meant.claim_at, meant.id) < (subject.claim_at, subject.id)
            ORDER BY meant.claim_at, meant.id
            LIMIT session.free
        ) AS given
    ) AS one
) AS first_ones
CROSS JOIN LATERAL (
    SELECT count(*) AS runs
    FROM (
        (SELECT FROM scheduler.task_runs AS run
         WHERE run.status = 'DISPATCHED' AND run.assigned_to IS NULL AND run.queue = subject.queue
           AND run.task_type = subject.task_type AND run.id <> subject.id
           AND (coalesce(run.claim_at, '-infinity'), run.id) < (subject.claim_at, subject.id)
         LIMIT %(limit)s)
        UNION ALL
        (SELECT FROM scheduler.task_runs AS run
         WHERE run.status = 'DISPATCHED' AND run.assigned_to = subject.assigned_to AND run.id <> subject.id
           AND (run.claim_at, run.id) < (subject.claim_at, subject.id)
         LIMIT %(limit)s)
        UNION ALL
        (SELECT FROM granted
         WHERE granted.session_id = subject.assigned_to AND granted.id <> subject.id
           AND (granted.claim_at, granted.id) < (subject.claim_at, subject.id)
         LIMIT %(limit)s)
    ) AS counted
) AS own_lane
ORDER BY subject.id
