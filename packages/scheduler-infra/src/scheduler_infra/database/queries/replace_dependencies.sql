-- The edges of these tasks are exactly the named ones afterwards. Returns names that no task of the namespace has.
WITH wanted AS MATERIALIZED (
    SELECT wish.task_id, wish.name, upstream.id AS upstream_id
    FROM unnest(%(task_ids)s::bigint[], %(names)s::text[]) AS wish(task_id, name)
    LEFT JOIN scheduler.tasks AS upstream
        ON upstream.namespace = %(namespace)s AND upstream.name = wish.name AND upstream.status <> 'INACTIVE'
), removed AS (
    DELETE FROM scheduler.task_dependencies AS edge
    WHERE edge.task_id = ANY(%(owners)s::bigint[])
      AND NOT EXISTS (SELECT FROM wanted
                      WHERE wanted.task_id = edge.task_id AND wanted.upstream_id = edge.depends_on_task_id)
), added AS (
    INSERT INTO scheduler.task_dependencies (task_id, depends_on_task_id)
    SELECT task_id, upstream_id FROM wanted WHERE upstream_id IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT DISTINCT name FROM wanted WHERE upstream_id IS NULL ORDER BY name
