-- The lines that fit, out of the next pieces of a run's output, so many at most: one row a piece that has such lines, and
-- the last piece that was looked at, with or without. A line that was cut is looked at in its parts.
WITH looked AS MATERIALIZED (
    SELECT run_id, attempt, sequence, stream, logged_at, content, line_offsets, first_line, first_byte
    FROM scheduler.task_run_logs
    WHERE run_id = %(run_id)s AND (attempt, sequence) > (%(after_attempt)s, %(after_sequence)s)
      AND (%(attempt)s::integer IS NULL OR attempt = %(attempt)s)
      AND (%(stream)s::text IS NULL OR stream = %(stream)s)
    ORDER BY attempt, sequence
    LIMIT %(pieces)s
), last AS (
    SELECT attempt, sequence FROM looked ORDER BY attempt DESC, sequence DESC LIMIT 1
)
SELECT looked.run_id, looked.attempt, looked.sequence, looked.stream, looked.logged_at, found.content,
       found.line_offsets, looked.first_line, looked.first_byte, found.lines, last.sequence IS NOT NULL AS is_last
FROM looked
LEFT JOIN last ON last.attempt = looked.attempt AND last.sequence = looked.sequence
CROSS JOIN LATERAL (
    SELECT string_agg(line.text, E'\n' ORDER BY line.place) || E'\n' AS content,
           array_agg(coalesce(looked.line_offsets[(line.place - part.continued)::integer], 0) ORDER BY line.place)
               AS line_offsets,
           CASE WHEN looked.first_line IS NOT NULL THEN
               array_agg(looked.first_line + line.place - 1 - part.continued ORDER BY line.place)
           END AS lines
    FROM (
        -- 1 where the piece begins within a line.
        SELECT length(looked.content) - length(replace(looked.content, E'\n', ''))
               + (right(looked.content, 1) <> E'\n')::integer
               - coalesce(cardinality(looked.line_offsets), 0) AS continued
    ) AS part
    CROSS JOIN LATERAL string_to_table(looked.content, E'\n') WITH ORDINALITY AS line(text, place)
    WHERE line.text <> ''
      AND (%(text)s::text IS NULL OR position(%(text)s in line.text) > 0)
      AND (%(pattern)s::text IS NULL OR line.text ~ %(pattern)s)
      AND (%(since)s::timestamptz IS NULL
           OR looked.logged_at + coalesce(looked.line_offsets[(line.place - part.continued)::integer], 0)
              * interval '1 millisecond' >= %(since)s)
) AS found
WHERE (%(text)s::text IS NULL OR position(%(text)s in looked.content) > 0 OR last.sequence IS NOT NULL)
  AND (found.content IS NOT NULL OR last.sequence IS NOT NULL)
ORDER BY looked.attempt, looked.sequence
