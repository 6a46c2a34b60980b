-- Output of attempts that the session still holds; pieces of others, and pieces stored already, are left out.
WITH stored AS (
    INSERT INTO scheduler.task_run_logs (run_id, attempt, sequence, stream, logged_at, content, line_offsets,
                                         first_line, first_byte)
    SELECT piece.run_id, piece.attempt, piece.sequence, piece.stream, piece.logged_at, piece.content,
           piece.line_offsets::integer[], piece.first_line, piece.first_byte
    FROM unnest(%(run_ids)s::bigint[], %(attempts)s::integer[], %(sequences)s::integer[], %(streams)s::text[],
                %(logged_at)s::timestamptz[], %(contents)s::text[], %(line_offsets)s::text[],
                %(first_lines)s::bigint[], %(first_bytes)s::bigint[])
        AS piece(run_id, attempt, sequence, stream, logged_at, content, line_offsets, first_line, first_byte)
    JOIN scheduler.task_runs AS run
        ON run.id = piece.run_id AND run.attempt = piece.attempt AND run.session_id = %(session_id)s
       AND run.status = 'RUNNING'
    WHERE run.id = ANY(%(run_ids)s::bigint[])
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT count(*) AS stored FROM stored
