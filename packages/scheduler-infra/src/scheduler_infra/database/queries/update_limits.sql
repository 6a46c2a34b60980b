-- The numbers and keys of these limits; returns the ids of those that exist. The caller holds all their keys, so that no
-- claim is under way, and whoever claims after the commit judges by the new numbers.
WITH locked AS MATERIALIZED (
    SELECT limits.id
    FROM scheduler.limits
    WHERE limits.id = ANY(%(limit_ids)s::bigint[])
    ORDER BY limits.id
    FOR NO KEY UPDATE
)
UPDATE scheduler.limits
SET description = wide.description, key = wide.key, concurrent = wide.concurrent, rate = wide.rate,
    rate_seconds = wide.rate_seconds, burst = wide.burst,
    updated_at = coalesce(%(now)s::timestamptz, clock_timestamp())
FROM locked
JOIN jsonb_to_recordset(%(definitions)s::jsonb) AS wide(
    limit_id bigint, description text, key text, concurrent integer, rate integer, rate_seconds double precision,
    burst integer) ON wide.limit_id = locked.id
WHERE limits.id = locked.id
RETURNING limits.id
