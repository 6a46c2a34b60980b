-- Writes down the evidence of quarantined runs, unless somebody else has; answers with those written.
INSERT INTO scheduler.quarantined_runs (run_id, quarantined_at, evidence)
SELECT found.run_id, found.quarantined_at, found.evidence::jsonb
FROM unnest(%(run_ids)s::bigint[], %(instants)s::timestamptz[], %(evidence)s::text[])
    AS found(run_id, quarantined_at, evidence)
ORDER BY found.run_id
ON CONFLICT DO NOTHING
RETURNING run_id
