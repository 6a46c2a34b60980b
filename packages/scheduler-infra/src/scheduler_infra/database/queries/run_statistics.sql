-- Counts and durations of a task's runs created since `days` days ago.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) - %(days)s * interval '1 day' AS since
), recent AS MATERIALIZED (
    SELECT status, extract(epoch FROM completed_at - started_at)::double precision AS seconds
    FROM scheduler.task_runs
    WHERE task_id = %(task_id)s AND created_at >= (SELECT since FROM moment)
)
SELECT (SELECT since FROM moment) AS since,
       (SELECT coalesce(jsonb_object_agg(status, runs), '{}') FROM
            (SELECT status, count(*) AS runs FROM recent GROUP BY status) AS per_status) AS by_status,
       count(*) AS total,
       avg(seconds) AS duration_seconds_mean,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS duration_seconds_p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS duration_seconds_p95,
       max(seconds) AS duration_seconds_max
FROM recent
