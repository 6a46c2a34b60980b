-- What jobs have last said of themselves, by attempts that the session still holds; of others nothing is changed. With
-- the attempt in it, what was said in one is not taken for the progress of the next. Runs are locked in their order.
WITH told AS MATERIALIZED (
    SELECT told.run_id, told.attempt, told.progress::jsonb AS progress
    FROM unnest(%(run_ids)s::bigint[], %(attempts)s::integer[], %(progress)s::text[])
        AS told(run_id, attempt, progress)
), held AS MATERIALIZED (
    SELECT run.id
    FROM scheduler.task_runs AS run
    JOIN told ON told.run_id = run.id AND told.attempt = run.attempt
    WHERE run.id = ANY(%(run_ids)s::bigint[]) AND run.session_id = %(session_id)s AND run.status = 'RUNNING'
    ORDER BY run.id
    FOR NO KEY UPDATE OF run
), changed AS (
    UPDATE scheduler.task_runs AS run
    SET progress = told.progress || jsonb_build_object(
            'attempt', told.attempt, 'reported_at', coalesce(%(now)s::timestamptz, clock_timestamp()))
    FROM held JOIN told ON told.run_id = held.id
    WHERE run.id = held.id
    RETURNING 1
)
SELECT count(*) AS stored FROM changed
