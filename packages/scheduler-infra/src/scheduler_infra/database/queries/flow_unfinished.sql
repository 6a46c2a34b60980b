-- The runs of a flow that can still be cancelled and are not about to be, in ascending order.
SELECT run.id
FROM (
    SELECT id, status, cancel_requested FROM scheduler.task_runs WHERE flow_id = %(flow_id)s AND flow_id <> id
    UNION ALL
    SELECT id, status, cancel_requested FROM scheduler.task_runs WHERE id = %(flow_id)s AND flow_id = id
) AS run
WHERE run.status IN ('PENDING', 'DISPATCHED', 'RUNNING') AND NOT run.cancel_requested
ORDER BY run.id
