-- Up to `limit` claimable runs of the given lanes, meant for this session or granted to it, in the order of claim_at (see
-- the schema), for a session that is alive. No row: the session is not alive. One row without a run: nothing to take, or
-- the worker was told to take nothing.
-- What claim_runs does, for a session that runs are granted to; apart from it, so that others do not pay for it.
-- Granted runs go from PENDING to RUNNING, as long as they wait in the stream that they were granted of. `granted_left`
-- is how many were named to the session and are not taken by this claim; NULL where none were.
-- Where there is nothing to take, nothing is locked and so nothing is written that a commit would have to wait for.
-- First the lanes share out `look` (no less than the limit) by looking, without locks, at what comes first over all of
-- them; then each lane locks just its share and steps over what other sessions hold. So never more than `look` are locked,
-- and the cost does not depend on runs of lanes that this session cannot take.
-- Runs that need permits are not taken here: `limited` names those that stand before the first one that is left, for
-- claim_limited_runs.
-- The update finds its rows through an array, because the planner then uses the primary key whatever the statistics of
-- this fast-changing table say.
WITH seen AS MATERIALIZED (
    SELECT id, drain_requested, coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
    FROM scheduler.worker_sessions
    WHERE id = %(session_id)s AND state = 'ALIVE'
), held_grant AS MATERIALIZED (
    SELECT run_grants.stream_id, run_grants.granted_at, run_grants.run_ids
    FROM seen
    JOIN scheduler.run_grants ON run_grants.session_id = seen.id AND run_grants.run_ids <> '{}'
    WHERE NOT seen.drain_requested
), granted AS MATERIALIZED (
    -- What a session was granted at once is in the order of claims already.
    SELECT run.id, run.claim_at, held_grant.stream_id, held_grant.granted_at
    FROM held_grant
    CROSS JOIN LATERAL (
        SELECT run.id, run.claim_at
        FROM unnest(held_grant.run_ids) AS named(id)
        CROSS JOIN LATERAL (
            SELECT run.id, run.claim_at
            FROM scheduler.task_runs AS run
            WHERE run.id = named.id
              AND CASE run.status WHEN 'PENDING' THEN run.stream_id = held_grant.stream_id ELSE false END
            OFFSET 0
        ) AS run
        LIMIT %(look)s
    ) AS run
), lane AS MATERIALIZED (
    SELECT queue, task_type, is_granted, count(*) AS share
    FROM (
        SELECT first_of_lane.queue, first_of_lane.task_type, first_of_lane.is_granted
        FROM (
            SELECT wanted.queue, wanted.task_type, false AS is_granted, run.claim_at, run.id
            FROM seen
            CROSS JOIN unnest(%(queues)s::text[], %(task_types)s::text[]) AS wanted(queue, task_type)
            CROSS JOIN LATERAL (
                SELECT run.claim_at, run.id
                FROM scheduler.task_runs AS run
                WHERE run.status = 'DISPATCHED' AND run.assigned_to IS NULL AND run.queue = wanted.queue
                  AND run.task_type = wanted.task_type
                ORDER BY run.claim_at NULLS FIRST, run.id
                LIMIT %(look)s
            ) AS run
            WHERE NOT seen.drain_requested
            UNION ALL
            SELECT NULL, NULL, false, run.claim_at, run.id
            FROM seen
            CROSS JOIN LATERAL (
                SELECT run.claim_at, run.id
                FROM scheduler.task_runs AS run
                WHERE run.status = 'DISPATCHED' AND run.assigned_to = seen.id
                ORDER BY run.claim_at, run.id
                LIMIT %(look)s
            ) AS run
            WHERE NOT seen.drain_requested
            UNION ALL
            (SELECT NULL, NULL, true, granted.claim_at, granted.id
             FROM granted
             ORDER BY granted.claim_at, granted.id
             LIMIT %(look)s)
        ) AS first_of_lane
        ORDER BY first_of_lane.claim_at NULLS FIRST, first_of_lane.id
        LIMIT %(look)s
    ) AS first_of_all
    GROUP BY queue, task_type, is_granted
), session AS MATERIALIZED (
    SELECT alive.id, alive.drain_requested, seen.now
    FROM seen
    JOIN scheduler.worker_sessions AS alive ON alive.id = seen.id
    WHERE alive.state = 'ALIVE' AND EXISTS (SELECT FROM lane)
    FOR SHARE OF alive
), chosen AS MATERIALIZED (
    SELECT picked.id, picked.is_limited, row_number() OVER (ORDER BY picked.claim_at NULLS FIRST, picked.id) AS place
    FROM (
        SELECT picked.id, picked.is_limited, picked.claim_at
        FROM lane
        CROSS JOIN session
        CROSS JOIN LATERAL (
            SELECT run.id, run.limit_key_ids IS NOT NULL AS is_limited, run.claim_at
            FROM scheduler.task_runs AS run
            WHERE run.status = 'DISPATCHED' AND run.assigned_to IS NULL AND run.queue = lane.queue
              AND run.task_type = lane.task_type
            ORDER BY run.claim_at NULLS FIRST, run.id
            -- Not before the session is locked, and nothing for one that was told so meanwhile.
            LIMIT CASE WHEN session.drain_requested THEN 0 ELSE lane.share END
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS picked
        UNION ALL
        SELECT picked.id, picked.is_limited, picked.claim_at
        FROM lane
        CROSS JOIN session
        CROSS JOIN LATERAL (
            SELECT run.id, run.limit_key_ids IS NOT NULL AS is_limited, run.claim_at
            FROM scheduler.task_runs AS run
            WHERE run.status = 'DISPATCHED' AND run.assigned_to = session.id
            ORDER BY run.claim_at, run.id
            LIMIT CASE WHEN session.drain_requested THEN 0 ELSE lane.share END
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS picked
        WHERE lane.queue IS NULL AND NOT lane.is_granted
        UNION ALL
        SELECT picked.id, false, picked.claim_at
        FROM lane
        CROSS JOIN session
        CROSS JOIN LATERAL (
            SELECT run.id, run.claim_at
            FROM scheduler.task_runs AS run
            WHERE run.id = ANY(ARRAY(SELECT granted.id FROM granted
                                     ORDER BY granted.claim_at, granted.id LIMIT %(look)s))
              AND CASE run.status WHEN 'PENDING'
                       THEN run.stream_id = ANY(ARRAY(SELECT stream_id FROM granted)) ELSE false END
            ORDER BY run.claim_at, run.id
            LIMIT CASE WHEN session.drain_requested THEN 0 ELSE lane.share END
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS picked
        WHERE lane.is_granted
    ) AS picked
), claimed AS (
    UPDATE scheduler.task_runs AS run
    SET status = 'RUNNING', attempt = run.attempt + 1, session_id = session.id, started_at = session.now,
        -- An older version leaves at the end of an attempt that it was to be paused.
        start_before = NULL, pause_requested = NULL, paused_at = NULL,
        end_before = coalesce(run.end_before, session.now + run.total_timeout_seconds * interval '1 second')
    FROM session
    WHERE run.id = ANY(ARRAY(SELECT id FROM chosen WHERE NOT is_limited AND place <= %(limit)s))
    RETURNING run.id, run.attempt, run.task_id, run.task_version_id, run.flow_id, run.failures, run.scheduled_at,
              run.interval_from, run.interval_to, run.parameters::text AS parameters, run.trace_context,
              run.needs_settlement, run.claim_at, run.item::text AS item, run.shard_index, run.shard_total,
              extract(epoch FROM run.end_before - session.now)::double precision AS seconds_left
), used AS MATERIALIZED (
    SELECT granted.stream_id, granted.granted_at, array_agg(granted.id) AS run_ids
    FROM chosen
    JOIN granted ON granted.id = chosen.id
    WHERE chosen.place <= %(limit)s
    GROUP BY granted.stream_id, granted.granted_at
), counted_down AS (
    UPDATE scheduler.run_grants
    -- Mostly the first ones are taken: a comparison of all with all is for the other cases.
    SET run_ids = CASE WHEN run_grants.run_ids[:cardinality(used.run_ids)] <@ used.run_ids
                       THEN run_grants.run_ids[cardinality(used.run_ids) + 1:]
                       ELSE ARRAY(SELECT named.id FROM unnest(run_grants.run_ids) WITH ORDINALITY AS named(id, place)
                                  WHERE named.id <> ALL(used.run_ids)
                                  ORDER BY named.place) END
    FROM used
    CROSS JOIN session
    WHERE run_grants.session_id = session.id AND run_grants.stream_id = used.stream_id
      AND run_grants.granted_at = used.granted_at
)
SELECT claimed.id, claimed.attempt, claimed.task_id, claimed.task_version_id, claimed.flow_id, claimed.failures,
       claimed.scheduled_at, claimed.interval_from, claimed.interval_to, claimed.parameters, claimed.trace_context,
       claimed.needs_settlement, claimed.item, claimed.shard_index, claimed.shard_total, claimed.seconds_left,
       ARRAY(SELECT id FROM chosen
             WHERE is_limited
               AND place < coalesce((SELECT min(place) FROM chosen WHERE NOT is_limited AND place > %(limit)s),
                                    place + 1)) AS limited,
       ((SELECT sum(cardinality(run_ids)) FROM held_grant)
        - coalesce((SELECT sum(cardinality(run_ids)) FROM used), 0))::integer AS granted_left
FROM seen
LEFT JOIN claimed ON true
WHERE NOT EXISTS (SELECT FROM lane) OR EXISTS (SELECT FROM session)
ORDER BY claimed.claim_at NULLS FIRST, claimed.id
