-- All streams with waiting or claimable runs, and those of runs that are RUNNING. What is granted counts as claimable.
-- The walk over the index of waiting runs jumps from stream to stream: its cost is theirs, and not their runs', but
-- for those that are granted, over which it steps to the first one of a stream that is not.
WITH RECURSIVE moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), waiting(stream_id) AS (
    (SELECT run.stream_id
     FROM scheduler.task_runs AS run
     WHERE run.status = 'PENDING' AND run.stream_id IS NOT NULL
     ORDER BY run.stream_id
     LIMIT 1)
    UNION ALL
    SELECT (SELECT run.stream_id
            FROM scheduler.task_runs AS run
            WHERE run.status = 'PENDING' AND run.stream_id > waiting.stream_id
            ORDER BY run.stream_id
            LIMIT 1)
    FROM waiting
    WHERE waiting.stream_id IS NOT NULL
), offered AS MATERIALIZED (
    SELECT run.stream_id, count(*) AS claimable,
           count(*) FILTER (WHERE run.claim_at > moment.now + interval '36000 days') AS far
    FROM scheduler.task_runs AS run
    CROSS JOIN moment
    WHERE run.status = 'DISPATCHED' AND run.stream_id IS NOT NULL
    GROUP BY run.stream_id
), live_grant AS MATERIALIZED (
    SELECT run_grants.stream_id, run_grants.run_ids
    FROM scheduler.run_grants
    JOIN scheduler.worker_sessions AS session
        ON session.id = run_grants.session_id AND session.state = 'ALIVE' AND NOT session.draining
), granted AS MATERIALIZED (
    SELECT live_grant.stream_id, sum(cardinality(live_grant.run_ids))::integer AS granted
    FROM live_grant
    GROUP BY live_grant.stream_id
), running AS MATERIALIZED (
    SELECT run.stream_id, count(*) AS running
    FROM scheduler.worker_sessions AS session
    JOIN scheduler.task_runs AS run ON run.session_id = session.id AND run.status = 'RUNNING'
    WHERE session.state = 'ALIVE' AND run.stream_id IS NOT NULL
    GROUP BY run.stream_id
)
SELECT stream.id, stream.key, stream.limit_key_ids, stream.fairness_id,
       coalesce(fairness.virtual_time, 0) AS virtual_time, head.claim_at AS head_at, head.id AS head_id,
       coalesce(offered.claimable, 0) + coalesce(granted.granted, 0) AS claimable, coalesce(offered.far, 0) AS far,
       coalesce(running.running, 0) AS running
FROM (
    SELECT stream_id FROM waiting WHERE stream_id IS NOT NULL
    UNION SELECT stream_id FROM offered
    UNION SELECT stream_id FROM running
) AS used
JOIN scheduler.dispatch_streams AS stream ON stream.id = used.stream_id
LEFT JOIN scheduler.fairness_keys AS fairness ON fairness.id = stream.fairness_id
LEFT JOIN offered ON offered.stream_id = stream.id
LEFT JOIN granted ON granted.stream_id = stream.id
LEFT JOIN running ON running.stream_id = stream.id
LEFT JOIN LATERAL (
    SELECT run.claim_at, run.id
    FROM scheduler.task_runs AS run
    WHERE run.status = 'PENDING' AND run.stream_id = stream.id
      AND (run.stream_id, run.id) NOT IN (SELECT live_grant.stream_id, unnest(live_grant.run_ids) FROM live_grant)
    ORDER BY run.claim_at, run.id
    LIMIT 1
) AS head ON true
ORDER BY stream.id
