-- The next pieces of a run's output, as many as are asked for and not many more bytes; at least one if there is any.
-- `since`: only pieces with a line that came then or later. Lengths are known without reading the texts.
SELECT run_id, attempt, sequence, stream, logged_at, content, line_offsets, first_line, first_byte
FROM (
    SELECT page.*, sum(octet_length(content)) OVER (ORDER BY attempt, sequence) - octet_length(content) AS bytes_before
    FROM (
        SELECT run_id, attempt, sequence, stream, logged_at, content, line_offsets, first_line, first_byte
        FROM scheduler.task_run_logs
        WHERE run_id = %(run_id)s AND (attempt, sequence) > (%(after_attempt)s, %(after_sequence)s)
          AND (%(attempt)s::integer IS NULL OR attempt = %(attempt)s)
          AND (%(stream)s::text IS NULL OR stream = %(stream)s)
          AND (%(since)s::timestamptz IS NULL
               OR logged_at + coalesce(line_offsets[cardinality(line_offsets)], 0) * interval '1 millisecond'
                  >= %(since)s)
        ORDER BY attempt, sequence
        LIMIT %(limit)s
    ) AS page
) AS measured
WHERE bytes_before < %(bytes_max)s
ORDER BY attempt, sequence
