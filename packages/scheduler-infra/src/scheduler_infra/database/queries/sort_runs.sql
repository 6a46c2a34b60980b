-- Locked runs go into their streams, or are FAILED with what is wrong with their keys. A run that has been started before
-- keeps the age that it had then. Versions all of whose runs are of one stream learn which.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), sorted AS (
    UPDATE scheduler.task_runs AS run
    SET stream_id = stream.id, limit_key_ids = nullif(stream.limit_key_ids, '{}'),
        claim_at = scheduler.claim_at_of(run.attempt, run.not_before, run.scheduled_at, run.created_at, run.priority)
    FROM unnest(%(run_ids)s::bigint[], %(signatures)s::text[]) AS wish(run_id, signature)
    JOIN scheduler.dispatch_streams AS stream ON stream.signature = wish.signature
    WHERE run.id = wish.run_id
), known AS (
    UPDATE scheduler.task_versions AS version
    SET stream_id = stream.id
    FROM unnest(%(version_ids)s::bigint[], %(version_signatures)s::text[]) AS wish(version_id, signature)
    JOIN scheduler.dispatch_streams AS stream ON stream.signature = wish.signature
    WHERE version.id = wish.version_id AND version.stream_id IS NULL
)
UPDATE scheduler.task_runs AS run
SET status = 'FAILED', completed_at = moment.now, error = fault.error
FROM unnest(%(failed_ids)s::bigint[], %(errors)s::text[]) AS fault(run_id, error)
CROSS JOIN moment
WHERE run.id = fault.run_id
RETURNING run.id, run.needs_settlement
