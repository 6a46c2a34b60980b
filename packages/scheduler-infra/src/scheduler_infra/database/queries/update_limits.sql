-- The numbers and keys of these limits; returns the ids of those that exist. The caller holds all their keys, so that no
-- claim is under way, and whoever claims after the commit judges by the new numbers. With another rate or burst a bucket
-- keeps what it has by the former ones until now, as far as it can hold that; a full one is full.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), wide AS MATERIALIZED (
    SELECT *
    FROM jsonb_to_recordset(%(definitions)s::jsonb) AS definition(
        limit_id bigint, description text, key text, concurrent integer, rate integer, rate_seconds double precision,
        burst integer)
), locked AS MATERIALIZED (
    SELECT limits.id
    FROM scheduler.limits
    WHERE limits.id = ANY(%(limit_ids)s::bigint[])
    ORDER BY limits.id
    FOR NO KEY UPDATE
), settled AS (
    UPDATE scheduler.limit_keys AS key
    SET tokens = nullif(least(scheduler.tokens_left(key.tokens, key.refilled_at, limits.rate, limits.rate_seconds,
                                                    limits.burst, moment.now),
                              coalesce(wide.burst, wide.rate)),
                        coalesce(wide.burst, wide.rate)),
        refilled_at = moment.now
    FROM wide
    JOIN scheduler.limits ON limits.id = wide.limit_id
    CROSS JOIN moment
    WHERE key.limit_id = limits.id AND key.tokens IS NOT NULL
      AND (limits.rate, limits.rate_seconds, limits.burst)
          IS DISTINCT FROM (wide.rate, wide.rate_seconds, wide.burst)
)
UPDATE scheduler.limits
SET description = wide.description, key = wide.key, concurrent = wide.concurrent, rate = wide.rate,
    rate_seconds = wide.rate_seconds, burst = wide.burst,
    updated_at = moment.now
FROM locked
JOIN wide ON wide.limit_id = locked.id
CROSS JOIN moment
WHERE limits.id = locked.id
RETURNING limits.id
