-- Of those of the given dependencies that are not settled: how many of their slots have come to which end. A slot that is
-- still open has no outcome. The caller has locked them.
SELECT wait.run_id, wait.position, wait.dependency ->> 'condition' AS condition, wait.expected,
       coalesce((SELECT jsonb_object_agg(tally.outcome, tally.slots)
                 FROM (SELECT slot.outcome, count(*) AS slots
                       FROM scheduler.task_run_wait_slots AS slot
                       WHERE slot.run_id = wait.run_id AND slot.position = wait.position AND slot.outcome IS NOT NULL
                       GROUP BY slot.outcome) AS tally), '{}') AS outcomes
FROM unnest(%(run_ids)s::bigint[], %(positions)s::integer[]) AS given(run_id, position)
JOIN scheduler.task_run_waits AS wait USING (run_id, position)
WHERE wait.state IN ('OPEN', 'OVERDUE')
