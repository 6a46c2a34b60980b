-- The links of all tasks that are connected with these by edges or links, in whichever direction and over however many
-- others; in ascending order. Where there is no link at all nothing is looked at.
WITH RECURSIVE connected(id) AS (
    SELECT unnest(%(task_ids)s::bigint[]) WHERE EXISTS (SELECT FROM scheduler.task_links)
    UNION
    SELECT neighbour.id
    FROM connected
    CROSS JOIN LATERAL (
        SELECT edge.depends_on_task_id FROM scheduler.task_dependencies AS edge WHERE edge.task_id = connected.id
        UNION ALL
        SELECT edge.task_id FROM scheduler.task_dependencies AS edge WHERE edge.depends_on_task_id = connected.id
        UNION ALL
        SELECT link.other_task_id FROM scheduler.task_links AS link WHERE link.task_id = connected.id
        UNION ALL
        SELECT link.task_id FROM scheduler.task_links AS link WHERE link.other_task_id = connected.id
    ) AS neighbour(id)
)
SELECT link.task_id, link.kind, link.other_task_id
FROM connected
JOIN scheduler.task_links AS link ON link.task_id = connected.id
JOIN scheduler.tasks ON tasks.id = link.task_id AND tasks.status <> 'INACTIVE'
ORDER BY link.task_id, link.kind, link.other_task_id
