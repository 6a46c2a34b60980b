-- Runs of these groups that nobody has begun are skipped: too many others have failed. The groups are locked.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), unstarted AS MATERIALIZED (
    SELECT run.id
    FROM scheduler.task_runs AS run
    WHERE run.group_id = ANY(%(group_ids)s::bigint[]) AND run.status IN ('PENDING', 'DISPATCHED')
    ORDER BY run.id
    FOR NO KEY UPDATE
)
UPDATE scheduler.task_runs AS run
SET status = 'SKIPPED', skip_reason = 'GROUP_FAILED', completed_at = moment.now, held = false,
    error = 'Not run: too many runs of its group had failed.'
FROM moment
WHERE run.id = ANY(ARRAY(SELECT id FROM unstarted))
  AND run.status IN ('PENDING', 'DISPATCHED')
RETURNING run.id
