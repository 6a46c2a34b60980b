-- Streams, with the keys of their limits and of their fairness, as far as they are new; the window is held, so nobody else
-- makes or removes any. Returns the ids of those that were not there before.
WITH wanted AS MATERIALIZED (
    SELECT wish.signature, wish.key::jsonb AS key, wish.fairness_key,
           wish.key::jsonb ->> 'queue' AS queue, coalesce((wish.key::jsonb -> 'background')::boolean, false) AS background
    FROM unnest(%(signatures)s::text[], %(keys)s::text[], %(fairness_keys)s::text[])
        AS wish(signature, key, fairness_key)
    WHERE NOT EXISTS (SELECT FROM scheduler.dispatch_streams AS stream WHERE stream.signature = wish.signature)
), limited AS MATERIALIZED (
    SELECT DISTINCT wanted.signature, (pair ->> 0)::bigint AS limit_id, pair ->> 1 AS key
    FROM wanted
    CROSS JOIN LATERAL jsonb_array_elements(coalesce(wanted.key -> 'limits', '[]')) AS pair
), limit_key AS (
    INSERT INTO scheduler.limit_keys (limit_id, key)
    SELECT DISTINCT limited.limit_id, limited.key
    FROM limited
    JOIN scheduler.limits ON limits.id = limited.limit_id
    ORDER BY limited.limit_id, limited.key
    ON CONFLICT (limit_id, key) DO NOTHING
    RETURNING id, limit_id, key
), fairness AS (
    INSERT INTO scheduler.fairness_keys (queue, key, background)
    SELECT DISTINCT queue, fairness_key, background FROM wanted WHERE fairness_key IS NOT NULL
    ON CONFLICT (queue, key, background) DO NOTHING
    RETURNING id, queue, key, background
), known_limit_key AS MATERIALIZED (
    SELECT id, limit_id, key FROM limit_key
    UNION ALL
    SELECT key.id, key.limit_id, key.key
    FROM scheduler.limit_keys AS key
    WHERE (key.limit_id, key.key) IN (SELECT limit_id, key FROM limited)
), known_fairness AS MATERIALIZED (
    SELECT id, queue, key, background FROM fairness
    UNION ALL
    SELECT key.id, key.queue, key.key, key.background
    FROM scheduler.fairness_keys AS key
    WHERE (key.queue, key.key, key.background) IN (SELECT queue, fairness_key, background FROM wanted)
)
INSERT INTO scheduler.dispatch_streams (signature, key, limit_key_ids, fairness_id)
SELECT wanted.signature, wanted.key,
       ARRAY(SELECT known_limit_key.id
             FROM limited
             JOIN known_limit_key ON known_limit_key.limit_id = limited.limit_id AND known_limit_key.key = limited.key
             WHERE limited.signature = wanted.signature
             ORDER BY known_limit_key.id),
       (SELECT known_fairness.id
        FROM known_fairness
        WHERE known_fairness.queue = wanted.queue AND known_fairness.key = wanted.fairness_key
          AND known_fairness.background = wanted.background)
FROM wanted
ORDER BY wanted.signature
RETURNING id
