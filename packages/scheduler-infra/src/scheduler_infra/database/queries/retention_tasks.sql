-- The next tasks, deleted ones too, in ascending order, and which of their finished runs are old: those that ended before
-- `cutoff` (NULL: age does not count), and those with an id below `below_id`, which is that of the oldest run kept.
-- A run of a group of its own task counts with the group.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), task AS MATERIALIZED (
    SELECT tasks.id,
           coalesce((version.dispatch_options ->> 'keep_seconds')::double precision,
                    %(keep_seconds)s::double precision) AS keep_seconds,
           coalesce((version.dispatch_options ->> 'keep_runs')::bigint, %(keep_runs)s::bigint) AS keep_runs
    FROM scheduler.tasks
    JOIN scheduler.task_versions AS version ON version.id = tasks.task_version_id
    WHERE tasks.id > %(after_task_id)s
    ORDER BY tasks.id
    LIMIT %(tasks)s
)
SELECT task.id,
       -- A century is for ever, and no date lies too far back.
       CASE WHEN task.keep_seconds IS NOT NULL
            THEN moment.now - least(task.keep_seconds, 3153600000) * interval '1 second' END AS cutoff,
       CASE WHEN task.keep_runs IS NULL THEN 0
            WHEN task.keep_runs <= 0 THEN 9223372036854775807
            ELSE coalesce(oldest_kept.id, 0) END AS below_id
FROM task
CROSS JOIN moment
LEFT JOIN LATERAL (
    SELECT run.id
    FROM scheduler.task_runs AS run
    WHERE run.task_id = task.id AND run.completed_at IS NOT NULL AND run.shard_index IS NULL
    ORDER BY run.id DESC
    OFFSET greatest(task.keep_runs, 1) - 1
    LIMIT 1
) AS oldest_kept ON task.keep_runs IS NOT NULL
ORDER BY task.id
