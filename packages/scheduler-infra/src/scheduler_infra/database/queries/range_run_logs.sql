-- The pieces of an attempt, the last one with output unless it is named, in which these lines begin or go on.
SELECT run_id, attempt, sequence, stream, logged_at, content, line_offsets, first_line, first_byte
FROM (
    SELECT page.*, sum(octet_length(content)) OVER (ORDER BY sequence) - octet_length(content) AS bytes_before
    FROM (
        SELECT run_id, attempt, sequence, stream, logged_at, content, line_offsets, first_line, first_byte
        FROM scheduler.task_run_logs
        WHERE run_id = %(run_id)s
          AND attempt = coalesce(%(attempt)s::integer, (
                  SELECT max(last.attempt) FROM scheduler.task_run_logs AS last WHERE last.run_id = %(run_id)s))
          AND (%(stream)s::text IS NULL OR stream = %(stream)s)
          AND first_line <= %(to_line)s::bigint + 1
          AND first_line + cardinality(line_offsets) >= %(from_line)s::bigint
        ORDER BY sequence
        LIMIT %(limit)s
    ) AS page
) AS measured
WHERE bytes_before < %(bytes_max)s
ORDER BY sequence
