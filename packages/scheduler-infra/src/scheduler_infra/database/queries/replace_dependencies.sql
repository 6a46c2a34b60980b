-- The edges and links of these tasks are exactly the named ones afterwards: `kinds` is FLOW for a dependency within the
-- flow, else the kind of a link. Returns names that no task of the namespace has.
WITH wanted AS MATERIALIZED (
    SELECT wish.task_id, wish.kind, wish.name, other.id AS other_id
    FROM unnest(%(task_ids)s::bigint[], %(kinds)s::text[], %(names)s::text[]) AS wish(task_id, kind, name)
    LEFT JOIN scheduler.tasks AS other
        ON other.namespace = %(namespace)s AND other.name = wish.name AND other.status <> 'INACTIVE'
), removed AS (
    DELETE FROM scheduler.task_dependencies AS edge
    WHERE edge.task_id = ANY(%(owners)s::bigint[])
      AND NOT EXISTS (SELECT FROM wanted
                      WHERE wanted.kind = 'FLOW' AND wanted.task_id = edge.task_id
                        AND wanted.other_id = edge.depends_on_task_id)
), added AS (
    INSERT INTO scheduler.task_dependencies (task_id, depends_on_task_id)
    SELECT task_id, other_id FROM wanted WHERE kind = 'FLOW' AND other_id IS NOT NULL
    ON CONFLICT DO NOTHING
), unlinked AS (
    DELETE FROM scheduler.task_links AS link
    WHERE link.task_id = ANY(%(owners)s::bigint[])
      AND NOT EXISTS (SELECT FROM wanted
                      WHERE wanted.kind = link.kind AND wanted.task_id = link.task_id
                        AND wanted.other_id = link.other_task_id)
), linked AS (
    INSERT INTO scheduler.task_links (task_id, kind, other_task_id)
    SELECT DISTINCT task_id, kind, other_id FROM wanted WHERE kind <> 'FLOW' AND other_id IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT DISTINCT name FROM wanted WHERE other_id IS NULL ORDER BY name
