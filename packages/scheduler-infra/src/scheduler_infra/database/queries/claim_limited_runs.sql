-- Runs that this transaction has locked, with the keys of their limits: `granted` ones start with a permit of each of their
-- keys, `refused` ones wait in their streams again, as old as they are. The keys' permits that count no more are removed,
-- and what is left of their rates is written.
WITH session AS MATERIALIZED (
    SELECT id, coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
    FROM scheduler.worker_sessions
    WHERE id = %(session_id)s AND state = 'ALIVE'
), stale AS (
    DELETE FROM scheduler.task_run_permits AS permit
    WHERE permit.limit_key_id = ANY(%(key_ids)s::bigint[]) AND permit.run_id <> ALL(%(granted)s::bigint[])
      AND NOT EXISTS (SELECT FROM scheduler.task_runs AS run
                      WHERE run.id = permit.run_id AND run.attempt = permit.attempt AND run.status = 'RUNNING')
), taken AS (
    UPDATE scheduler.limit_keys AS key
    SET tokens = left_over.tokens, refilled_at = session.now
    FROM unnest(%(token_keys)s::bigint[], %(tokens)s::double precision[]) AS left_over(id, tokens)
    CROSS JOIN session
    WHERE key.id = left_over.id
), refused AS (
    UPDATE scheduler.task_runs AS run
    SET status = 'PENDING', assigned_to = NULL, offered_at = NULL,
        -- Released runs may have been put where they belong among claimable ones, far behind all that wait.
        claim_at = scheduler.claim_at_of(run.attempt, run.not_before, run.scheduled_at, run.created_at, run.priority)
    FROM session
    WHERE run.id = ANY(%(refused)s::bigint[])
), claimed AS (
    UPDATE scheduler.task_runs AS run
    SET status = 'RUNNING', attempt = run.attempt + 1, session_id = session.id, started_at = session.now,
        -- An older version leaves at the end of an attempt that it was to be paused.
        start_before = NULL, pause_requested = NULL, paused_at = NULL,
        end_before = coalesce(run.end_before, session.now + run.total_timeout_seconds * interval '1 second')
    FROM session
    WHERE run.id = ANY(%(granted)s::bigint[])
    RETURNING run.id, run.attempt, run.task_id, run.task_version_id, run.flow_id, run.failures, run.scheduled_at,
              run.interval_from, run.interval_to, run.parameters::text AS parameters, run.trace_context,
              run.needs_settlement, run.claim_at, run.item::text AS item, run.shard_index, run.shard_total,
              extract(epoch FROM run.end_before - session.now)::double precision AS seconds_left,
              run.limit_key_ids
), permit AS (
    INSERT INTO scheduler.task_run_permits (limit_key_id, run_id, attempt)
    SELECT key.id, claimed.id, claimed.attempt
    FROM claimed
    CROSS JOIN LATERAL unnest(claimed.limit_key_ids) AS key(id)
    WHERE key.id = ANY(%(key_ids)s::bigint[])
    ON CONFLICT (limit_key_id, run_id) DO UPDATE SET attempt = excluded.attempt
)
SELECT claimed.id, claimed.attempt, claimed.task_id, claimed.task_version_id, claimed.flow_id, claimed.failures,
       claimed.scheduled_at, claimed.interval_from, claimed.interval_to, claimed.parameters, claimed.trace_context,
       claimed.needs_settlement, claimed.item, claimed.shard_index, claimed.shard_total, claimed.seconds_left
FROM claimed
ORDER BY claimed.claim_at NULLS FIRST, claimed.id
