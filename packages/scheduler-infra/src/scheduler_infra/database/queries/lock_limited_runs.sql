-- Of these runs those that can still be claimed and whose keys are all locked, in the order of claims, locked.
SELECT locked.id, locked.limit_key_ids
FROM (
    SELECT run.id, run.limit_key_ids, run.claim_at
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(%(run_ids)s::bigint[]) AND run.status = 'DISPATCHED'
      -- Keys that are gone were of limits that were deleted.
      AND NOT EXISTS (SELECT FROM scheduler.limit_keys AS key
                      WHERE key.id = ANY(run.limit_key_ids) AND key.id <> ALL(%(key_ids)s::bigint[]))
      AND (run.assigned_to IS NULL OR run.assigned_to = %(session_id)s)
    ORDER BY run.id
    FOR NO KEY UPDATE SKIP LOCKED
) AS locked
ORDER BY locked.claim_at NULLS FIRST, locked.id
