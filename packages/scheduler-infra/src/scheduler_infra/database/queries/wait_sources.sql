-- What these tasks wait for across schedules, each with the schedules that its slots came from, oldest first: those of
-- the upstream task itself, or of the scheduled task that its flow begins with.
-- A dependency names its task; one that was renamed since is found as the only linked task that no dependency names.
WITH RECURSIVE named AS MATERIALIZED (
    SELECT tasks.id AS task_id, element.value AS dependency,
           row_number() OVER (PARTITION BY tasks.id ORDER BY element.ordinality) - 1 AS position
    FROM scheduler.tasks
    JOIN scheduler.task_versions AS version ON version.id = tasks.task_version_id
    CROSS JOIN LATERAL jsonb_array_elements(version.dependencies) WITH ORDINALITY AS element(value, ordinality)
    WHERE tasks.id = ANY(%(task_ids)s::bigint[]) AND jsonb_typeof(element.value) = 'object'
), linked AS MATERIALIZED (
    SELECT link.task_id, link.other_task_id, other.name
    FROM scheduler.task_links AS link
    JOIN scheduler.tasks AS other ON other.id = link.other_task_id
    WHERE link.task_id = ANY(%(task_ids)s::bigint[]) AND link.kind = 'INTERVAL'
), wish AS MATERIALIZED (
    SELECT named.*,
           coalesce(
               (SELECT max(linked.other_task_id) FROM linked
                WHERE linked.task_id = named.task_id AND linked.name = named.dependency ->> 'task'),
               (SELECT max(linked.other_task_id) FROM linked
                WHERE linked.task_id = named.task_id
                  AND linked.name NOT IN (SELECT other.dependency ->> 'task' FROM named AS other
                                          WHERE other.task_id = named.task_id)
                HAVING count(*) = 1)) AS upstream_task_id
    FROM named
), ancestor(upstream_task_id, id) AS (
    SELECT upstream_task_id, upstream_task_id FROM wish WHERE upstream_task_id IS NOT NULL
    UNION
    SELECT ancestor.upstream_task_id, edge.depends_on_task_id
    FROM ancestor
    JOIN scheduler.task_dependencies AS edge ON edge.task_id = ancestor.id
), owner AS MATERIALIZED (
    SELECT DISTINCT ON (ancestor.upstream_task_id) ancestor.upstream_task_id, ancestor.id
    FROM ancestor
    LEFT JOIN scheduler.schedules ON schedules.task_id = ancestor.id
    ORDER BY ancestor.upstream_task_id, schedules.task_id IS NULL, ancestor.id <> ancestor.upstream_task_id, ancestor.id
)
SELECT wish.task_id, wish.position, wish.dependency, wish.upstream_task_id,
       coalesce((SELECT jsonb_agg(to_jsonb(period) ORDER BY period.counts_from)
                 FROM scheduler.schedule_periods AS period
                 WHERE period.task_id = owner.id), '[]') AS periods
FROM wish
JOIN owner ON owner.upstream_task_id = wish.upstream_task_id
ORDER BY wish.task_id, wish.position
