-- Removes those of the given runs that nobody needs any more, with all that belongs to them; slots stay in the ledger.
-- What another transaction holds is stepped over. No more than `limit` runs are removed, and fewer when they have printed
-- very much, but one in any case: `is_cut` says that there may be more.
-- Needed are: runs of a flow that has not ended or has a run in quarantine of which nothing was decided, and those that
-- such a flow runs again; runs that are not settled; runs, and runs of slots, that others wait for; the run whose end a
-- schedule counts from; the group of runs that are kept; a run that still stands for its unique key.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), candidate AS MATERIALIZED (
    SELECT run.id, run.task_id, run.flow_id, run.group_id, run.scheduled_at, run.interval_to
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(%(run_ids)s::bigint[])
      AND run.status IN ('COMPLETED', 'FAILED', 'TIMEOUT', 'CANCELLED', 'SKIPPED', 'QUARANTINED')
      AND NOT run.needs_settlement
), again AS MATERIALIZED (
    SELECT candidate.id, later.flow_id
    FROM candidate
    JOIN scheduler.task_runs AS later ON later.retry_of = candidate.id
    UNION
    SELECT candidate.id, later.flow_id
    FROM candidate
    JOIN scheduler.task_runs AS later ON later.retry_of = candidate.group_id
), busy AS MATERIALIZED (
    SELECT flow.id
    FROM (SELECT flow_id AS id FROM candidate UNION SELECT flow_id FROM again) AS flow
    WHERE EXISTS (
        SELECT
        FROM (
            SELECT id, status FROM scheduler.task_runs WHERE task_runs.id = flow.id
            UNION ALL
            SELECT id, status FROM scheduler.task_runs WHERE flow_id = flow.id AND flow_id <> task_runs.id
        ) AS member
        WHERE member.status IN ('PENDING', 'DISPATCHED', 'RUNNING')
           OR (member.status = 'QUARANTINED'
               AND NOT EXISTS (SELECT FROM scheduler.quarantined_runs AS known
                               WHERE known.run_id = member.id AND known.decision IS NOT NULL))
    )
), locked AS MATERIALIZED (
    SELECT run.id, run.limit_key_ids
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(ARRAY(
        SELECT candidate.id
        FROM candidate
        CROSS JOIN moment
        WHERE NOT EXISTS (SELECT FROM busy WHERE busy.id = candidate.flow_id)
          AND NOT EXISTS (SELECT FROM again JOIN busy ON busy.id = again.flow_id WHERE again.id = candidate.id)
          AND NOT EXISTS (SELECT FROM scheduler.task_runs AS member WHERE member.group_id = candidate.id)
          AND NOT EXISTS (SELECT FROM scheduler.task_run_dependencies AS edge
                          JOIN scheduler.task_runs AS waiting ON waiting.id = edge.run_id
                          WHERE edge.upstream_run_id = candidate.id
                            AND waiting.status IN ('PENDING', 'DISPATCHED', 'RUNNING'))
          AND (candidate.interval_to IS NULL
               OR NOT EXISTS (SELECT FROM scheduler.task_run_wait_slots AS slot
                              JOIN scheduler.task_runs AS waiting ON waiting.id = slot.run_id
                              WHERE slot.upstream_task_id = candidate.task_id
                                AND slot.scheduled_at = candidate.scheduled_at
                                AND waiting.status IN ('PENDING', 'DISPATCHED', 'RUNNING')))
          AND NOT EXISTS (SELECT FROM scheduler.schedules WHERE schedules.awaits_run_id = candidate.id)
          AND NOT EXISTS (SELECT FROM scheduler.schedules
                          WHERE schedules.task_id = candidate.task_id AND schedules.schedule ->> 'after_end' IS NOT NULL
                            AND candidate.id = (SELECT slot.run_id FROM scheduler.slots AS slot
                                                WHERE slot.task_id = candidate.task_id
                                                ORDER BY slot.scheduled_at DESC LIMIT 1))
          AND NOT EXISTS (SELECT FROM scheduler.task_unique_keys AS held
                          JOIN scheduler.tasks ON tasks.id = held.task_id
                          JOIN scheduler.task_versions AS version ON version.id = tasks.task_version_id
                          WHERE held.run_id = candidate.id
                            AND extract(epoch FROM moment.now - held.created_at)
                                < greatest((version.dispatch_options #>> '{unique,throttle_seconds}')::double precision,
                                           (version.dispatch_options #>> '{unique,window_seconds}')::double precision))
    ))
    ORDER BY run.id
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), doomed AS MATERIALIZED (
    SELECT sized.id, sized.limit_key_ids
    FROM (
        SELECT locked.id, locked.limit_key_ids, printed.pieces,
               sum(printed.pieces) OVER (ORDER BY locked.id) AS pieces_so_far
        FROM locked
        CROSS JOIN LATERAL (
            SELECT count(*) AS pieces FROM scheduler.task_run_logs AS piece WHERE piece.run_id = locked.id
        ) AS printed
    ) AS sized
    WHERE sized.pieces_so_far <= %(pieces_max)s OR sized.pieces_so_far = sized.pieces
), logs AS (
    DELETE FROM scheduler.task_run_logs WHERE run_id = ANY(ARRAY(SELECT id FROM doomed))
), attempts AS (
    DELETE FROM scheduler.task_run_attempts WHERE run_id = ANY(ARRAY(SELECT id FROM doomed))
), edges_up AS (
    DELETE FROM scheduler.task_run_dependencies WHERE upstream_run_id = ANY(ARRAY(SELECT id FROM doomed))
), edges_down AS (
    DELETE FROM scheduler.task_run_dependencies AS edge
    WHERE edge.run_id = ANY(ARRAY(SELECT id FROM doomed)) AND edge.upstream_run_id <> ALL(ARRAY(SELECT id FROM doomed))
), waits AS (
    DELETE FROM scheduler.task_run_waits WHERE run_id = ANY(ARRAY(SELECT id FROM doomed))
), wait_slots AS (
    DELETE FROM scheduler.task_run_wait_slots WHERE run_id = ANY(ARRAY(SELECT id FROM doomed))
), permits AS (
    DELETE FROM scheduler.task_run_permits AS permit
    USING (SELECT id, unnest(limit_key_ids) AS limit_key_id FROM doomed) AS had
    WHERE permit.limit_key_id = had.limit_key_id AND permit.run_id = had.id
), unique_keys AS (
    DELETE FROM scheduler.task_unique_keys WHERE run_id = ANY(ARRAY(SELECT id FROM doomed))
), quarantine AS (
    DELETE FROM scheduler.quarantined_runs WHERE run_id = ANY(ARRAY(SELECT id FROM doomed))
)
DELETE FROM scheduler.task_runs
WHERE id = ANY(ARRAY(SELECT id FROM doomed))
RETURNING id, (SELECT count(*) FROM doomed) < (SELECT count(*) FROM locked)
              OR (SELECT count(*) FROM locked) >= %(limit)s AS is_cut
