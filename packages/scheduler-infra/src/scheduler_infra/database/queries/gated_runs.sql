-- How many gated runs wait in their streams, and how many are claimable, by class. Both are counted by stream, in their own
-- indexes.
WITH counted AS MATERIALIZED (
    SELECT run.stream_id, count(*) AS waiting, 0 AS claimable
    FROM scheduler.task_runs AS run
    WHERE run.status = 'PENDING' AND run.stream_id IS NOT NULL
    GROUP BY run.stream_id
    UNION ALL
    SELECT run.stream_id, 0, count(*)
    FROM scheduler.task_runs AS run
    WHERE run.status = 'DISPATCHED' AND run.stream_id IS NOT NULL
    GROUP BY run.stream_id
)
SELECT CASE WHEN (stream.key -> 'background')::boolean THEN 'BACKGROUND'
            WHEN stream.key ->> 'fairness_key' IS NOT NULL THEN 'FAIR'
            ELSE 'PLAIN' END AS stream_class,
       sum(counted.waiting)::bigint AS waiting, sum(counted.claimable)::bigint AS claimable
FROM counted
JOIN scheduler.dispatch_streams AS stream ON stream.id = counted.stream_id
GROUP BY stream_class
