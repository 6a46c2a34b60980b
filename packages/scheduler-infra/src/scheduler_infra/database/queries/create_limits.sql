-- New limits, in the order given; returns their ids in that order. A name that is taken in its namespace fails all.
INSERT INTO scheduler.limits (namespace, name, description, key, concurrent, rate, rate_seconds, burst, created_at,
                              updated_at)
SELECT wide.namespace, wide.name, wide.description, wide.key, wide.concurrent, wide.rate, wide.rate_seconds, wide.burst,
       moment.now, moment.now
FROM jsonb_to_recordset(%(definitions)s::jsonb) AS wide(
    ordinal integer, namespace text, name text, description text, key text, concurrent integer, rate integer,
    rate_seconds double precision, burst integer)
CROSS JOIN (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now) AS moment
ORDER BY wide.ordinal
RETURNING id
