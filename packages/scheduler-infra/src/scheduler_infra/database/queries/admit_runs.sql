-- Writes what was decided for runs that this transaction has locked, none of them gated: they become claimable, are put
-- aside because their task is paused, or are cancelled because it was deleted. A run that has been started before keeps
-- the age that it had then.
UPDATE scheduler.task_runs AS run
SET status = CASE decided.admission WHEN 'admit' THEN 'DISPATCHED' WHEN 'hold' THEN 'PENDING' ELSE 'CANCELLED' END,
    claim_at = scheduler.claim_at_of(run.attempt, run.not_before, run.scheduled_at, run.created_at, run.priority),
    held = (decided.admission = 'hold'),
    -- No time passes for what is held.
    start_before = CASE WHEN decided.admission <> 'hold' THEN run.start_before END,
    completed_at = CASE WHEN decided.admission = 'cancel'
                        THEN coalesce(%(now)s::timestamptz, clock_timestamp()) END,
    error = CASE WHEN decided.admission = 'cancel' THEN 'The task was deleted before this run started.'
                 ELSE run.error END
FROM unnest(%(run_ids)s::bigint[], %(admissions)s::text[]) AS decided(run_id, admission)
WHERE run.id = ANY(%(run_ids)s::bigint[]) AND run.id = decided.run_id
RETURNING run.id, run.flow_id, run.task_id, run.status, run.queue, run.task_type, run.scheduled_at
