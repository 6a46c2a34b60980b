-- The roots, all that is downstream of them and all ancestors of the roots, each locked in shared mode until commit:
-- pausing, deleting or changing any of them waits, so a status decided from this answer is still true when written.
-- Edges and schedules are read as they were when the statement began: where the version under the lock is another one,
-- they may be out of date, and `changed` asks for the statement to be repeated, which then sees what the locks protect.
WITH RECURSIVE downstream(id) AS (
    SELECT unnest(%(root_ids)s::bigint[])
    UNION
    SELECT edge.task_id FROM downstream
    JOIN scheduler.task_dependencies AS edge ON edge.depends_on_task_id = downstream.id
), ancestor(id) AS (
    SELECT unnest(%(root_ids)s::bigint[])
    UNION
    SELECT edge.depends_on_task_id FROM ancestor
    JOIN scheduler.task_dependencies AS edge ON edge.task_id = ancestor.id
), member AS MATERIALIZED (
    SELECT id FROM downstream UNION SELECT id FROM ancestor
), locked AS MATERIALIZED (
    SELECT tasks.id, tasks.name, tasks.task_version_id, tasks.status
    FROM scheduler.tasks
    WHERE tasks.id = ANY(ARRAY(SELECT id FROM member)) AND tasks.status <> 'INACTIVE'
    ORDER BY tasks.id
    FOR SHARE OF tasks
)
SELECT locked.id, locked.name, locked.task_version_id, locked.status,
       EXISTS (SELECT FROM scheduler.schedules WHERE schedules.task_id = locked.id) AS has_schedule,
       ARRAY(SELECT depends_on_task_id FROM scheduler.task_dependencies AS edge
             WHERE edge.task_id = locked.id ORDER BY depends_on_task_id) AS depends_on,
       (SELECT link.other_task_id FROM scheduler.task_links AS link
        WHERE link.task_id = locked.id AND link.kind = 'SUB_FLOW' LIMIT 1) AS sub_flow_id,
       EXISTS (SELECT FROM scheduler.task_links AS link
               WHERE link.task_id = locked.id AND link.kind = 'INTERVAL') AS has_intervals,
       EXISTS (SELECT FROM scheduler.task_links AS link
               WHERE link.other_task_id = locked.id AND link.kind = 'INTERVAL') AS is_awaited,
       coalesce(version.flow_options, '{}') AS flow_options,
       locked.task_version_id <> (SELECT seen.task_version_id FROM scheduler.tasks AS seen
                                  WHERE seen.id = locked.id) AS changed
FROM locked
-- A version of a change that has just been waited for is not seen yet; then the whole is asked again.
LEFT JOIN scheduler.task_versions AS version ON version.id = locked.task_version_id
ORDER BY locked.id
