-- The next flows before an id, newest first, each told whether its root is in the namespace: one probe of the index of
-- members for each flow, however many runs it has and however many flows of one run lie between. A flow whose root was
-- removed by retention is no match.
WITH RECURSIVE walk AS (
    (SELECT run.flow_id
     FROM scheduler.task_runs AS run
     WHERE run.flow_id <> run.id AND run.flow_id < %(before_id)s
     ORDER BY run.flow_id DESC
     LIMIT 1)
    UNION ALL
    SELECT (SELECT run.flow_id
            FROM scheduler.task_runs AS run
            WHERE run.flow_id <> run.id AND run.flow_id < walk.flow_id
            ORDER BY run.flow_id DESC
            LIMIT 1)
    FROM walk
    WHERE walk.flow_id IS NOT NULL
), taken AS MATERIALIZED (
    SELECT flow_id FROM walk WHERE flow_id IS NOT NULL LIMIT %(limit)s
)
SELECT taken.flow_id AS run_id,
       root.id IS NOT NULL AND (%(namespace)s::text IS NULL OR root.namespace = %(namespace)s) AS is_match
FROM taken
LEFT JOIN scheduler.task_runs AS root ON root.id = taken.flow_id
ORDER BY taken.flow_id DESC
