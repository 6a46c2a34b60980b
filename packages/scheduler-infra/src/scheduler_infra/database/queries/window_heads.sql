-- The first waiting runs of streams that are granted to nobody, in their order. What is granted is stepped over, run by run.
WITH granted AS MATERIALIZED (
    SELECT run_grants.stream_id, unnest(run_grants.run_ids) AS id
    FROM scheduler.run_grants
    JOIN scheduler.worker_sessions AS session
        ON session.id = run_grants.session_id AND session.state = 'ALIVE' AND NOT session.draining
)
SELECT wanted.stream_id, head.id, head.claim_at
FROM unnest(%(stream_ids)s::bigint[], %(counts)s::integer[]) AS wanted(stream_id, count)
CROSS JOIN LATERAL (
    SELECT run.id, run.claim_at
    FROM scheduler.task_runs AS run
    WHERE run.status = 'PENDING' AND run.stream_id = wanted.stream_id
      AND run.not_before <= coalesce(%(now)s::timestamptz, clock_timestamp())
      AND (run.stream_id, run.id) NOT IN (SELECT stream_id, id FROM granted)
    ORDER BY run.claim_at, run.id
    LIMIT wanted.count
) AS head
ORDER BY wanted.stream_id, head.claim_at, head.id
