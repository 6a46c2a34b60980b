-- Writes what was decided for runs that this transaction has locked. `is_later` says that something is to be done later
-- of which no dispatcher knows yet: the run is to be admitted when its time comes, to be expanded, or to take its turn.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
)
UPDATE scheduler.task_runs AS run
SET status = CASE WHEN verdict.status = 'DISPATCHED' AND run.gated THEN 'PENDING' ELSE verdict.status END,
    waiting_on = CASE WHEN verdict.status = 'DISPATCHED' THEN 0 ELSE verdict.waiting_on END,
    held = verdict.held AND verdict.status = 'PENDING',
    upstreams = coalesce(verdict.upstreams, run.upstreams),
    upstream_successes = coalesce(verdict.successes, run.upstream_successes),
    upstream_failures = coalesce(verdict.failures, run.upstream_failures),
    upstream_skips = coalesce(verdict.skips, run.upstream_skips),
    expands = nullif(verdict.expands, false),
    skip_reason = verdict.skip_reason,
    not_before = CASE WHEN verdict.status IN ('PENDING', 'DISPATCHED') AND verdict.waiting_on = 0
                      THEN greatest(run.not_before, moment.now) ELSE run.not_before END,
    claim_at = CASE WHEN verdict.status IN ('PENDING', 'DISPATCHED') AND verdict.waiting_on = 0
                    THEN scheduler.claim_at(greatest(run.not_before, moment.now), run.priority) ELSE run.claim_at END,
    start_before = CASE WHEN verdict.status IN ('PENDING', 'DISPATCHED') AND verdict.waiting_on = 0 AND NOT verdict.held
                        THEN greatest(run.not_before, moment.now) + run.queue_timeout_seconds * interval '1 second' END,
    completed_at = CASE WHEN verdict.status NOT IN ('PENDING', 'DISPATCHED') THEN moment.now END,
    error = coalesce(verdict.error, run.error)
FROM moment
CROSS JOIN unnest(%(run_ids)s::bigint[], %(statuses)s::text[], %(waiting_on)s::integer[], %(upstreams)s::integer[],
                  %(successes)s::integer[], %(failures)s::integer[], %(skips)s::integer[], %(expands)s::boolean[],
                  %(held)s::boolean[], %(skip_reasons)s::text[], %(errors)s::text[])
    AS verdict(run_id, status, waiting_on, upstreams, successes, failures, skips, expands, held, skip_reason, error)
WHERE run.id = verdict.run_id
RETURNING run.id, run.flow_id, run.task_id, run.status, run.queue, run.task_type, run.scheduled_at,
          run.needs_settlement, run.status = 'PENDING' AND run.waiting_on = 0 AND NOT run.held AS is_later
