-- QUARANTINED runs whose evidence is not written down yet, with their lost attempts in order, the last one too, which
-- is the run itself, and the last pieces of what each had printed.
SELECT run.id AS run_id, run.completed_at AS quarantined_at, lost.losses
FROM (
    SELECT id, attempt, session_id, started_at, completed_at, error
    FROM scheduler.task_runs
    WHERE status = 'QUARANTINED'
      AND NOT EXISTS (SELECT FROM scheduler.quarantined_runs AS known WHERE known.run_id = task_runs.id)
    ORDER BY id
    LIMIT %(limit)s
) AS run
CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('attempt', each.attempt, 'worker_id', session.worker_id,
                                        'hostname', session.hostname, 'started_at', each.started_at,
                                        'ended_at', each.ended_at, 'reason', left(each.error, 500),
                                        'pieces', printed.pieces)
                     ORDER BY each.attempt) AS losses
    FROM (
        SELECT attempt, session_id, started_at, ended_at, error
        FROM scheduler.task_run_attempts
        WHERE run_id = run.id AND outcome = 'LOST'
        UNION ALL
        SELECT run.attempt, run.session_id, run.started_at, run.completed_at, 'The worker session was lost.'
    ) AS each
    LEFT JOIN scheduler.worker_sessions AS session ON session.id = each.session_id
    CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_agg(piece.content ORDER BY piece.sequence), '[]') AS pieces
        FROM (
            SELECT sequence, right(content, %(characters)s) AS content
            FROM scheduler.task_run_logs
            WHERE run_id = run.id AND attempt = each.attempt
            ORDER BY sequence DESC
            LIMIT %(pieces)s
        ) AS piece
    ) AS printed
) AS lost
ORDER BY run.id
