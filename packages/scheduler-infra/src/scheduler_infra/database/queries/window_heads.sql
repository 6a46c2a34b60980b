-- The first waiting runs of streams that are granted to nobody, a row for each stream with its runs in their order; of a
-- stream with a `since` from that (claim_at, id) on. What is granted is stepped over, run by run.
WITH granted AS MATERIALIZED (
    SELECT run_grants.stream_id, unnest(run_grants.run_ids) AS id
    FROM scheduler.run_grants
    JOIN scheduler.worker_sessions AS session
        ON session.id = run_grants.session_id AND session.state = 'ALIVE' AND NOT session.draining
)
SELECT wanted.stream_id, head.run_ids, head.claim_ats
FROM unnest(%(stream_ids)s::bigint[], %(counts)s::integer[], %(since_ats)s::timestamptz[], %(since_ids)s::bigint[])
    AS wanted(stream_id, count, since_at, since_id)
CROSS JOIN LATERAL (
    -- The manual's way to order what is aggregated without sorting it again.
    SELECT array_agg(first.id) AS run_ids, array_agg(first.claim_at) AS claim_ats
    FROM (
        SELECT run.id, run.claim_at
        FROM scheduler.task_runs AS run
        WHERE run.status = 'PENDING' AND run.stream_id = wanted.stream_id
          AND (run.claim_at, run.id) >= (coalesce(wanted.since_at, '-infinity'), coalesce(wanted.since_id, 0))
          AND run.not_before <= coalesce(%(now)s::timestamptz, clock_timestamp())
          AND (run.stream_id, run.id) NOT IN (SELECT stream_id, id FROM granted)
        ORDER BY run.claim_at, run.id
        LIMIT wanted.count
    ) AS first
) AS head
WHERE head.run_ids IS NOT NULL
