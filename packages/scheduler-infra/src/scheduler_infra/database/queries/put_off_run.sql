-- Puts off the start of a run that waits for nothing but its time. What is claimable, sorted into a stream, expanded or
-- was claimed before is left alone: it is past that. So is one that is due already, unless this transaction has made it.
UPDATE scheduler.task_runs AS run
SET not_before = wish.start, claim_at = scheduler.claim_at(wish.start, run.priority),
    start_before = CASE WHEN NOT run.held THEN wish.start + run.queue_timeout_seconds * interval '1 second' END,
    parameters = %(parameters)s::jsonb
FROM (
    SELECT least(coalesce(%(now)s::timestamptz, clock_timestamp()) + %(seconds)s * interval '1 second',
                 %(latest)s::timestamptz) AS start
) AS wish
WHERE run.id = %(run_id)s AND run.status = 'PENDING' AND run.attempt = 0 AND run.waiting_on = 0
  AND run.group_size IS NULL AND run.stream_id IS NULL
  AND (%(is_new)s OR run.not_before > coalesce(%(now)s::timestamptz, clock_timestamp()))
RETURNING run.id
