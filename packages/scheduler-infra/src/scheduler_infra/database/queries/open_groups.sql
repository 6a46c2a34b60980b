-- Runs that have become groups: from now on they wait for the ends of so many runs, which are counted anew.
UPDATE scheduler.task_runs AS run
SET group_size = made.size, waiting_on = made.size, expands = NULL, upstreams = made.size, upstream_successes = NULL,
    upstream_failures = NULL, upstream_skips = NULL, trigger_rule = NULL,
    start_before = NULL, started_at = coalesce(%(now)s::timestamptz, clock_timestamp())
FROM unnest(%(group_ids)s::bigint[], %(sizes)s::integer[]) AS made(id, size)
WHERE run.id = made.id
