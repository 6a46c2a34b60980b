-- The slots of other tasks that runs are about to wait for, each with the latest of its runs that has ended, and whether
-- it has any run. All of their runs are locked until commit, in ascending order, and those that have not ended are marked
-- so that their end will be settled.
WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest(%(task_ids)s::bigint[], %(instants)s::timestamptz[]) AS wanted(task_id, scheduled_at)
), locked AS MATERIALIZED (
    SELECT run.id, run.task_id, run.scheduled_at, run.status, run.skip_reason, run.completed_at, run.needs_settlement
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(ARRAY(
        SELECT standing.id
        FROM wanted
        JOIN scheduler.task_runs AS standing
            ON standing.task_id = wanted.task_id AND standing.scheduled_at = wanted.scheduled_at
        WHERE standing.interval_to IS NOT NULL AND standing.group_id IS NULL))
    ORDER BY run.id
    FOR NO KEY UPDATE
), marked AS (
    UPDATE scheduler.task_runs AS run
    SET needs_settlement = true
    WHERE run.id = ANY(ARRAY(SELECT id FROM locked
                             WHERE status IN ('PENDING', 'DISPATCHED', 'RUNNING') AND NOT needs_settlement))
), latest AS MATERIALIZED (
    SELECT DISTINCT ON (task_id, scheduled_at) task_id, scheduled_at, id, status, skip_reason
    FROM locked
    WHERE status NOT IN ('PENDING', 'DISPATCHED', 'RUNNING')
    ORDER BY task_id, scheduled_at, completed_at DESC, id DESC
), standing AS MATERIALIZED (
    SELECT DISTINCT task_id, scheduled_at FROM locked
)
SELECT wanted.task_id, wanted.scheduled_at, latest.id AS run_id, latest.status, latest.skip_reason,
       standing.task_id IS NOT NULL AS has_run
FROM wanted
LEFT JOIN standing USING (task_id, scheduled_at)
LEFT JOIN latest USING (task_id, scheduled_at)
