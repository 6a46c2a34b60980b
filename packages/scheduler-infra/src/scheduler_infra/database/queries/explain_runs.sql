-- The given runs with all that decides whether they may start, counted and named, as of one snapshot.
-- Since when a task has its status is known where that was its last change.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), subject AS MATERIALIZED (
    SELECT run.*
    FROM scheduler.task_runs AS run
    WHERE run.id = ANY(%(run_ids)s::bigint[])
), edge AS MATERIALIZED (
    SELECT edge.run_id, edge.regardless, edge.given, upstream.id AS upstream_id, upstream.status, upstream.created_at,
           upstream.completed_at, tasks.name AS task_name,
           NOT edge.given AND (upstream.completed_at IS NULL OR upstream.needs_settlement) AS is_untold,
           upstream.completed_at IS NULL AS is_open,
           edge.regardless IS FALSE AND (subject.trigger_rule IS NOT NULL OR NOT edge.given) AS is_counted,
           CASE WHEN upstream.completed_at IS NULL THEN 'OPEN'
                WHEN upstream.status = 'COMPLETED'
                     OR (edge.tolerant AND upstream.status IN ('FAILED', 'TIMEOUT', 'QUARANTINED')) THEN 'SUCCESS'
                WHEN upstream.status = 'SKIPPED'
                     AND upstream.skip_reason <> ALL(%(failure_skips)s::text[]) THEN 'SKIP'
                ELSE 'FAILURE' END AS ending,
           edge.tolerant AND upstream.status IN ('FAILED', 'TIMEOUT', 'QUARANTINED') AS is_tolerated,
           -- With a rule of its own the run has kept how many had ended when that held.
           upstream.completed_at <= coalesce(subject.completed_at, 'infinity')
               AND (subject.trigger_rule IS NULL OR subject.group_size IS NOT NULL
                    OR row_number() OVER (PARTITION BY edge.run_id, edge.regardless
                                          ORDER BY upstream.completed_at, upstream.id) <= subject.upstreams)
               AS is_judged,
           row_number() OVER (PARTITION BY edge.run_id, edge.regardless, upstream.completed_at IS NULL
                              ORDER BY upstream.id) AS place
    FROM subject
    JOIN scheduler.task_run_dependencies AS edge ON edge.run_id = subject.id
    JOIN scheduler.task_runs AS upstream ON upstream.id = edge.upstream_run_id
    JOIN scheduler.tasks ON tasks.id = upstream.task_id
), shown AS (
    SELECT edge.run_id, edge.regardless, edge.is_open,
           jsonb_agg(jsonb_build_object('run_id', edge.upstream_id, 'task_name', edge.task_name,
                                        'status', edge.status, 'created_at', edge.created_at,
                                        'completed_at', edge.completed_at, 'is_given', edge.given,
                                        'is_tolerated', edge.is_tolerated,
                                        'is_judged', coalesce(edge.is_judged, false))
                     ORDER BY edge.upstream_id) AS runs
    FROM edge
    WHERE edge.place <= %(shown)s
    GROUP BY edge.run_id, edge.regardless, edge.is_open
), tally AS (
    SELECT edge.run_id,
           count(*) FILTER (WHERE edge.is_counted) AS upstreams,
           count(*) FILTER (WHERE edge.is_counted AND edge.ending = 'SUCCESS') AS successes,
           count(*) FILTER (WHERE edge.is_counted AND edge.ending = 'FAILURE') AS failures,
           count(*) FILTER (WHERE edge.is_counted AND edge.ending = 'SKIP') AS skips,
           count(*) FILTER (WHERE edge.regardless AND edge.is_open) AS overlaps,
           count(*) FILTER (WHERE NOT edge.regardless AND edge.is_judged) AS judged,
           count(*) FILTER (WHERE edge.is_untold) AS untold
    FROM edge
    GROUP BY edge.run_id
)
SELECT subject.id, subject.task_id, tasks.name AS task_name, subject.namespace, tasks.status AS task_status,
       CASE WHEN tasks.updated_at > present.created_at THEN tasks.updated_at END AS task_status_since, subject.status, subject.trigger, subject.flow_id, subject.retry_of,
       subject.created_at, subject.scheduled_at, subject.not_before, subject.not_before <= moment.now AS is_due,
       subject.started_at, subject.completed_at, subject.attempt, subject.failures, subject.losses,
       subject.start_before, coalesce(subject.pause_requested, false) AS pause_requested, subject.paused_at,
       subject.max_retries, subject.waiting_on, subject.priority, subject.queue, subject.task_type,
       subject.held AS is_held, subject.cancel_requested, session.worker_id, subject.skip_reason, subject.error,
       subject.trigger_rule, coalesce(subject.expands, false) AS expands, subject.group_id, subject.group_size,
       subject.shard_index, subject.shard_total, version.overlap, version.flow_options, version.dispatch_options,
       coalesce(subject.gated, false) AS is_gated, coalesce(subject.background, false) AS is_background,
       subject.claim_at, coalesce(subject.assigned_to, granted.session_id) AS assigned_to,
       chosen.worker_id AS assigned_worker_id, coalesce(subject.offered_at, granted.granted_at) AS offered_at,
       coalesce(tally.upstreams, 0) AS upstreams, coalesce(tally.successes, 0) AS successes,
       coalesce(tally.failures, 0) AS failures_upstream, coalesce(tally.skips, 0) AS skips,
       coalesce(tally.overlaps, 0) AS overlaps, coalesce(tally.untold, 0) AS untold, coalesce(tally.judged, 0) AS judged,
       (SELECT count(*) FROM scheduler.task_run_waits AS wait
        WHERE wait.run_id = subject.id AND wait.state IN ('OPEN', 'OVERDUE')) AS intervals,
       sibling.released AS group_released, sibling.ahead AS group_ahead, member.*,
       coalesce((SELECT runs FROM shown WHERE run_id = subject.id AND NOT regardless AND is_open), '[]')
           AS open_upstream,
       coalesce((SELECT runs FROM shown WHERE run_id = subject.id AND NOT regardless AND NOT is_open), '[]')
           AS ended_upstream,
       coalesce((SELECT runs FROM shown WHERE run_id = subject.id AND regardless AND is_open), '[]')
           AS open_overlaps,
       coalesce(past.attempts, '[]') AS attempts
FROM subject
CROSS JOIN moment
JOIN scheduler.tasks ON tasks.id = subject.task_id
JOIN scheduler.task_versions AS version ON version.id = subject.task_version_id
JOIN scheduler.task_versions AS present ON present.id = tasks.task_version_id
LEFT JOIN scheduler.worker_sessions AS session ON session.id = subject.session_id
LEFT JOIN LATERAL (
    SELECT run.session_id, run.granted_at
    FROM scheduler.granted_runs AS run
    WHERE run.id = subject.id
    ORDER BY run.granted_at DESC
    LIMIT 1
) AS granted ON true
LEFT JOIN scheduler.worker_sessions AS chosen ON chosen.id = coalesce(subject.assigned_to, granted.session_id)
LEFT JOIN tally ON tally.run_id = subject.id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE other.waiting_on = 0) AS released,
           count(*) FILTER (WHERE other.waiting_on > 0 AND other.id < subject.id) AS ahead
    FROM scheduler.task_runs AS other
    WHERE other.group_id = subject.group_id AND other.id <> subject.id AND other.completed_at IS NULL
      AND subject.completed_at IS NULL AND subject.waiting_on > 0
) AS sibling
CROSS JOIN LATERAL (
    SELECT count(*) AS members, count(*) FILTER (WHERE run.completed_at IS NOT NULL) AS members_ended,
           count(*) FILTER (WHERE run.status = 'RUNNING') AS members_running,
           count(*) FILTER (WHERE run.status = 'DISPATCHED') AS members_offered,
           count(*) FILTER (WHERE run.status = 'PENDING' AND run.waiting_on > 0) AS members_queued,
           count(*) FILTER (WHERE run.status = 'PENDING' AND run.waiting_on = 0 AND run.attempt > 0
                                  AND run.not_before > moment.now) AS members_delayed
    FROM scheduler.task_runs AS run
    WHERE run.group_id = subject.id AND subject.group_size IS NOT NULL
) AS member
CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('attempt', last_ones.attempt, 'outcome', last_ones.outcome,
                                        'ended_at', last_ones.ended_at, 'worker_id', last_ones.worker_id,
                                        'error', left(last_ones.error, 500)) ORDER BY last_ones.attempt) AS attempts
    FROM (
        SELECT attempt.attempt, attempt.outcome, attempt.ended_at, attempt.error, holder.worker_id
        FROM scheduler.task_run_attempts AS attempt
        LEFT JOIN scheduler.worker_sessions AS holder ON holder.id = attempt.session_id
        WHERE attempt.run_id = subject.id
        ORDER BY attempt.attempt DESC
        LIMIT %(shown)s
    ) AS last_ones
) AS past
ORDER BY subject.id
