-- How many dispatchers have been seen of late, when any was seen last, what is wrong with their message queue, and which
-- strategies they have and are set to.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
)
SELECT moment.now,
       count(*) FILTER (WHERE dispatchers.ended_at IS NULL
                        AND dispatchers.last_seen_at > moment.now - %(seconds)s * interval '1 second') AS alive,
       max(coalesce(dispatchers.ended_at, dispatchers.last_seen_at)) AS last_seen_at,
       max(dispatchers.queue_error) FILTER (WHERE dispatchers.ended_at IS NULL
           AND dispatchers.last_seen_at > moment.now - %(seconds)s * interval '1 second') AS queue_error,
       (SELECT strategy FROM scheduler.dispatch_state) AS strategy,
       ARRAY(SELECT DISTINCT unnest(live.strategies) FROM scheduler.dispatchers AS live
             WHERE live.ended_at IS NULL
               AND live.last_seen_at > (SELECT now FROM moment) - %(seconds)s * interval '1 second') AS strategies
FROM moment
LEFT JOIN scheduler.dispatchers ON true
GROUP BY moment.now
