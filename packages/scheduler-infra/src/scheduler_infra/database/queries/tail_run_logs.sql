-- The last pieces of a run's output, in order, that have so many lines together, or as many as their bytes allow. Lines
-- are counted as they begin; where an older version has not said how many do, line ends are.
SELECT run_id, attempt, sequence, stream, logged_at, content, line_offsets, first_line, first_byte
FROM (
    SELECT page.*, sum(lines) OVER backward - lines AS lines_after,
           sum(octet_length(content)) OVER backward - octet_length(content) AS bytes_after
    FROM (
        SELECT log.*,
               coalesce(cardinality(line_offsets), length(content) - length(replace(content, E'\n', ''))) AS lines
        FROM scheduler.task_run_logs AS log
        WHERE run_id = %(run_id)s AND (%(attempt)s::integer IS NULL OR attempt = %(attempt)s)
          AND (%(stream)s::text IS NULL OR stream = %(stream)s)
        ORDER BY attempt DESC, sequence DESC
        LIMIT %(limit)s
    ) AS page
    WINDOW backward AS (ORDER BY attempt DESC, sequence DESC)
) AS measured
WHERE lines_after < %(lines)s AND bytes_after < %(bytes_max)s
ORDER BY attempt, sequence
