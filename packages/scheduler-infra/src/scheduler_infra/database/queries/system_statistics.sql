-- The whole at one moment, from partial indexes: its cost does not grow with finished runs older than an hour.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), alive AS MATERIALIZED (
    SELECT count(*) AS workers, coalesce(sum(places), 0) AS places
    FROM scheduler.worker_sessions
    WHERE state = 'ALIVE' AND lease_expires_at > (SELECT now FROM moment)
), active AS MATERIALIZED (
    SELECT 'PENDING' AS status, count(*) AS runs FROM scheduler.task_runs WHERE status = 'PENDING'
    UNION ALL SELECT 'DISPATCHED', count(*) FROM scheduler.task_runs WHERE status = 'DISPATCHED'
    UNION ALL SELECT 'RUNNING', count(*) FROM scheduler.task_runs WHERE status = 'RUNNING'
)
SELECT (SELECT now FROM moment) AS now,
       (SELECT coalesce(jsonb_object_agg(status, tasks), '{}') FROM
            (SELECT status, count(*) AS tasks FROM scheduler.tasks GROUP BY status) AS per_status) AS tasks_by_status,
       (SELECT jsonb_object_agg(status, runs) FROM active) AS runs_active_by_status,
       (SELECT coalesce(jsonb_object_agg(status, runs), '{}') FROM
            (SELECT status, count(*) AS runs FROM scheduler.task_runs
             WHERE completed_at > (SELECT now - interval '1 hour' FROM moment) GROUP BY status) AS per_status)
           AS runs_finished_last_hour_by_status,
       alive.workers AS workers_alive,
       alive.places AS places_total,
       (SELECT runs FROM active WHERE status = 'RUNNING') AS places_taken,
       (SELECT extract(epoch FROM (SELECT now FROM moment) - min(not_before))::double precision
        FROM scheduler.task_runs WHERE status = 'DISPATCHED') AS oldest_dispatched_seconds,
       (SELECT greatest(0, extract(epoch FROM (SELECT now FROM moment) - min(next_due_at)))::double precision
        FROM scheduler.schedules WHERE next_due_at <= (SELECT now FROM moment)) AS oldest_due_schedule_seconds
FROM alive
