-- The first waiting runs of streams, in their order.
SELECT wanted.stream_id, head.id, head.claim_at
FROM unnest(%(stream_ids)s::bigint[], %(counts)s::integer[]) AS wanted(stream_id, count)
CROSS JOIN LATERAL (
    SELECT run.id, run.claim_at
    FROM scheduler.task_runs AS run
    WHERE run.status = 'PENDING' AND run.stream_id = wanted.stream_id
      AND run.not_before <= coalesce(%(now)s::timestamptz, clock_timestamp())
    ORDER BY run.claim_at, run.id
    LIMIT wanted.count
) AS head
ORDER BY wanted.stream_id, head.claim_at, head.id
