-- Waiting runs are named that sessions may take. What has happened to such a run meanwhile shows in the run: see
-- scheduler.granted_runs. The caller holds the window, so that nobody names them twice.
INSERT INTO scheduler.run_grants (session_id, stream_id, granted_at, run_ids)
SELECT given.session_id, given.stream_id, coalesce(%(now)s::timestamptz, clock_timestamp()), given.run_ids
FROM jsonb_to_recordset(%(grants)s::jsonb) AS given(session_id bigint, stream_id bigint, run_ids bigint[])
ON CONFLICT ON CONSTRAINT pk_run_grants DO UPDATE SET run_ids = run_grants.run_ids || excluded.run_ids
