-- Removes streams that no run that has not ended is in and that no version names, and fairness keys that only those named.
-- The window is held, so nobody sorts runs meanwhile.
WITH unused AS MATERIALIZED (
    SELECT stream.id
    FROM scheduler.dispatch_streams AS stream
    WHERE NOT EXISTS (SELECT FROM scheduler.task_runs AS run WHERE run.status = 'PENDING' AND run.stream_id = stream.id)
      AND NOT EXISTS (SELECT FROM scheduler.task_runs AS run
                      WHERE run.status = 'DISPATCHED' AND run.stream_id = stream.id)
      AND NOT EXISTS (SELECT FROM scheduler.worker_sessions AS session
                      JOIN scheduler.task_runs AS run ON run.session_id = session.id AND run.status = 'RUNNING'
                      WHERE run.stream_id = stream.id)
      AND NOT EXISTS (SELECT FROM scheduler.task_versions AS version WHERE version.stream_id = stream.id)
    ORDER BY stream.id
    LIMIT %(limit)s
), forgotten AS (
    DELETE FROM scheduler.dispatch_streams WHERE id IN (SELECT id FROM unused)
    RETURNING limit_key_ids, fairness_id
), fairness AS (
    DELETE FROM scheduler.fairness_keys AS key
    USING scheduler.fairness_clocks AS clock
    WHERE key.id IN (SELECT fairness_id FROM forgotten) AND clock.queue = key.queue
      AND clock.background = key.background
      -- Who comes back starts where its queue is; who was ahead of that must not gain by having been forgotten.
      AND key.virtual_time <= clock.virtual_time
      AND NOT EXISTS (SELECT FROM scheduler.dispatch_streams AS stream
                      WHERE stream.fairness_id = key.id AND stream.id NOT IN (SELECT id FROM unused))
)
SELECT count(*) AS count FROM forgotten
