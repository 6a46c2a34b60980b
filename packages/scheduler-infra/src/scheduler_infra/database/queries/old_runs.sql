-- The next runs of a task in ascending order, each told whether it is old, and whether all after it are too young to be:
-- nothing ends before it is made.
SELECT page.id, coalesce(page.created_at >= %(cutoff)s::timestamptz, true) AND page.id >= %(below_id)s AS is_beyond,
       page.completed_at IS NOT NULL
           AND (page.shard_index IS NULL OR head.completed_at IS NOT NULL)
           AND (coalesce(coalesce(head.completed_at, page.completed_at) < %(cutoff)s::timestamptz, false)
                OR coalesce(head.id, page.id) < %(below_id)s) AS is_old
FROM (
    SELECT run.id, run.created_at, run.completed_at, run.shard_index, run.group_id
    FROM scheduler.task_runs AS run
    WHERE run.task_id = %(task_id)s AND run.id > %(after_id)s
    ORDER BY run.id
    LIMIT %(limit)s
) AS page
LEFT JOIN scheduler.task_runs AS head ON head.id = page.group_id AND page.shard_index IS NOT NULL
ORDER BY page.id
