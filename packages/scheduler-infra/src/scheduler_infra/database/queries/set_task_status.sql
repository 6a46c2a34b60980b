-- Moves tasks to a status. Runs that were admitted and not claimed are recalled in the same transaction, so that
-- none starts after the answer: to PENDING and held for PAUSED, to CANCELLED for INACTIVE; ACTIVE lets them go on.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), changed AS (
    UPDATE scheduler.tasks
    SET status = %(status)s, updated_at = moment.now
    FROM moment
    WHERE tasks.id = ANY(%(task_ids)s) AND tasks.status <> 'INACTIVE' AND tasks.status <> %(status)s
    RETURNING tasks.id
), stopped AS (
    UPDATE scheduler.schedules
    SET next_due_at = NULL, awaits_run_id = CASE WHEN %(status)s <> 'INACTIVE' THEN awaits_run_id END
    WHERE task_id IN (SELECT id FROM changed) AND %(status)s <> 'ACTIVE'
), closed AS (
    UPDATE scheduler.schedule_periods AS period
    SET counts_until = moment.now
    FROM moment
    WHERE period.task_id IN (SELECT id FROM changed) AND %(status)s = 'INACTIVE' AND period.counts_until IS NULL
), unlimited AS (
    DELETE FROM scheduler.task_limits
    WHERE task_id IN (SELECT id FROM changed) AND %(status)s = 'INACTIVE'
), recalled AS (
    UPDATE scheduler.task_runs
    SET status = CASE WHEN %(status)s = 'INACTIVE' THEN 'CANCELLED' ELSE 'PENDING' END,
        held = (%(status)s = 'PAUSED'),
        stream_id = NULL, limit_key_ids = NULL, assigned_to = NULL, offered_at = NULL,
        -- No time passes for what is held; it begins again.
        start_before = CASE WHEN %(status)s <> 'ACTIVE' OR waiting_on > 0 THEN NULL
                            WHEN attempt > 0 THEN end_before
                            ELSE greatest(not_before, moment.now) + queue_timeout_seconds * interval '1 second' END,
        completed_at = CASE WHEN %(status)s = 'INACTIVE' THEN moment.now END,
        error = CASE WHEN %(status)s = 'INACTIVE' THEN 'The task was deleted before this run started.' ELSE error END
    FROM moment
    WHERE task_runs.task_id = ANY(ARRAY(SELECT id FROM changed))
      AND CASE task_runs.status WHEN 'PENDING' THEN true WHEN 'DISPATCHED' THEN true ELSE false END
)
SELECT id FROM changed
