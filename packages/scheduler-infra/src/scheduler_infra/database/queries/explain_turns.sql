-- Gated runs of the given ones that have not begun: the stream, how many waiting runs of it come first (counted up to a
-- limit), and the keys of the limits, with the first holders of permits and the claimable runs that come before it.
-- Until a run is sorted only the keys of limits that have no key expression are known.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), subject AS MATERIALIZED (
    SELECT run.id, run.status, run.stream_id, run.claim_at, stream.key AS stream, stream.limit_key_ids,
           coalesce(version.dispatch_options -> 'limits', '[]') AS limit_names, run.namespace
    FROM scheduler.task_runs AS run
    JOIN scheduler.task_versions AS version ON version.id = run.task_version_id
    LEFT JOIN scheduler.dispatch_streams AS stream ON stream.id = run.stream_id
    WHERE run.id = ANY(%(run_ids)s::bigint[]) AND run.gated AND run.status IN ('PENDING', 'DISPATCHED')
), needed AS MATERIALIZED (
    SELECT subject.id AS run_id, limits.id AS limit_id, key.id AS key_id
    FROM subject
    CROSS JOIN LATERAL unnest(subject.limit_key_ids) AS own(id)
    JOIN scheduler.limit_keys AS key ON key.id = own.id
    JOIN scheduler.limits ON limits.id = key.limit_id
    UNION
    SELECT subject.id, limits.id, key.id
    FROM subject
    JOIN scheduler.limits ON limits.namespace = subject.namespace AND limits.key IS NULL
        AND limits.name IN (SELECT jsonb_array_elements_text(subject.limit_names))
    JOIN scheduler.limit_keys AS key ON key.limit_id = limits.id AND key.key = ''
    WHERE subject.stream_id IS NULL
)
SELECT subject.id AS run_id, subject.stream_id, subject.stream, before.runs AS ahead,
       coalesce(standing.limits, '[]') AS limits, subject.limit_names
FROM subject
CROSS JOIN moment
CROSS JOIN LATERAL (
    SELECT count(*) AS runs
    FROM (
        SELECT FROM scheduler.task_runs AS run
        WHERE run.status = 'PENDING' AND run.stream_id = subject.stream_id AND subject.status = 'PENDING'
          AND (run.claim_at, run.id) < (subject.claim_at, subject.id)
          AND run.id NOT IN (SELECT granted.id FROM scheduler.granted_runs AS granted)
        LIMIT %(limit)s
    ) AS counted
) AS before
CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object(
               'limit', limits.name, 'namespace', limits.namespace,
               'key', CASE WHEN limits.key IS NOT NULL THEN key.key END,
               'state', jsonb_build_object(
                   'id', key.id, 'now', moment.now, 'concurrent', limits.concurrent, 'rate', limits.rate,
                   'rate_seconds', limits.rate_seconds, 'burst', limits.burst, 'tokens', key.tokens,
                   'refilled_at', key.refilled_at, 'running', held.count, 'claimable', offered.count),
               'holders', held.first_ones) ORDER BY key.id) AS limits
    FROM needed
    JOIN scheduler.limit_keys AS key ON key.id = needed.key_id
    JOIN scheduler.limits ON limits.id = needed.limit_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS count,
               coalesce(jsonb_agg(jsonb_build_object('run_id', holder.id, 'task_name', holder.name) ORDER BY holder.id)
                        FILTER (WHERE holder.place <= %(shown)s), '[]') AS first_ones
        FROM (
            SELECT run.id, tasks.name, row_number() OVER (ORDER BY run.id) AS place
            FROM scheduler.task_run_permits AS permit
            JOIN scheduler.task_runs AS run
                ON run.id = permit.run_id AND run.attempt = permit.attempt AND run.status = 'RUNNING'
            JOIN scheduler.tasks ON tasks.id = run.task_id
            WHERE permit.limit_key_id = key.id
        ) AS holder
    ) AS held
    CROSS JOIN LATERAL (
        SELECT count(*) AS count
        FROM scheduler.task_runs AS run
        WHERE run.status = 'DISPATCHED' AND run.stream_id IS NOT NULL AND key.id = ANY(run.limit_key_ids)
          AND run.id <> subject.id
          AND (subject.status = 'PENDING' OR (run.claim_at, run.id) < (subject.claim_at, subject.id))
    ) AS offered
    WHERE needed.run_id = subject.id
) AS standing
ORDER BY subject.id
