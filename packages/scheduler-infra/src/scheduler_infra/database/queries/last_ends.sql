-- From when the next slot of a fixed delay counts: the end of the run of the latest slot since the present schedule
-- counts, NULL while that has not ended; the slot itself where it has no run. Tasks without such a slot are left out.
SELECT period.task_id,
       CASE WHEN latest.run_id IS NULL THEN latest.last_scheduled_at ELSE run.completed_at END AS ended_at
FROM scheduler.schedule_periods AS period
CROSS JOIN LATERAL (
    SELECT slot.run_id, slot.last_scheduled_at
    FROM scheduler.slots AS slot
    WHERE slot.task_id = period.task_id AND slot.scheduled_at > period.counts_from
    ORDER BY slot.scheduled_at DESC
    LIMIT 1
) AS latest
LEFT JOIN scheduler.task_runs AS run ON run.id = latest.run_id
WHERE period.task_id = ANY(%(task_ids)s) AND period.counts_until IS NULL
