-- The next root runs of a task before an id, newest first, each told whether other runs are in its flow.
SELECT root.id AS run_id,
       EXISTS (SELECT FROM scheduler.task_runs AS run WHERE run.flow_id = root.id AND run.flow_id <> run.id) AS is_match
FROM scheduler.task_runs AS root
WHERE root.task_id = %(task_id)s AND root.id < %(before_id)s AND root.flow_id = root.id
ORDER BY root.id DESC
LIMIT %(limit)s
