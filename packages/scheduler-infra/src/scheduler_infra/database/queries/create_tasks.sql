-- New tasks with their first versions, edges and schedules, in the order given.
-- A taken name violates uq_tasks_namespace_name and undoes everything.
-- A schedule counts from now on, or from just before its first slot when that has passed already.
-- Takes one JSON array: definitions are rare and wide, and the server reads them in one pass.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), definition AS MATERIALIZED (
    SELECT wide.*,
           nextval('scheduler.tasks_id_seq') AS id,
           nextval('scheduler.task_versions_id_seq') AS version_id
    FROM jsonb_to_recordset(%(definitions)s::jsonb) AS wide(
        ordinal integer, namespace text, name text, description text, task_type text, parameters jsonb,
        schedule jsonb, dependencies jsonb, queue text, priority smallint, timeout_seconds double precision,
        max_retries integer, retry jsonb, misfire text, misfire_grace_seconds double precision,
        misfire_runs_max integer, overlap text, flow_options jsonb, dispatch_options jsonb, run_options jsonb, gated boolean,
        parameters_schema jsonb, schedule_seed integer, next_due_at timestamptz)
    ORDER BY ordinal
), task AS (
    INSERT INTO scheduler.tasks (id, namespace, name, status, version, task_version_id, schedule_seed, created_at,
                                 updated_at)
    SELECT id, namespace, name, 'ACTIVE', 1, version_id, schedule_seed, now, now FROM definition CROSS JOIN moment
), version AS (
    INSERT INTO scheduler.task_versions (id, task_id, version, task_type, description, parameters, schedule,
                                         dependencies, queue, priority, timeout_seconds, max_retries, retry,
                                         misfire, misfire_grace_seconds, misfire_runs_max, overlap, flow_options,
                                         dispatch_options, run_options, gated, parameters_schema, created_at)
    SELECT version_id, id, 1, task_type, description, parameters, nullif(schedule, 'null'::jsonb), dependencies, queue,
           priority, timeout_seconds, max_retries, retry, misfire, misfire_grace_seconds, misfire_runs_max, overlap,
           flow_options, dispatch_options, run_options, gated, nullif(parameters_schema, 'null'::jsonb), now
    FROM definition CROSS JOIN moment
), begin AS MATERIALIZED (
    SELECT id AS task_id, least(now, next_due_at - interval '1 microsecond') AS counts_from
    FROM definition CROSS JOIN moment
    WHERE schedule <> 'null'::jsonb
), planned AS (
    INSERT INTO scheduler.schedules (task_id, schedule, next_due_at, recorded_from)
    SELECT id, schedule, next_due_at, counts_from FROM definition JOIN begin ON begin.task_id = definition.id
), period AS (
    INSERT INTO scheduler.schedule_periods (task_id, counts_from, schedule, seed)
    SELECT id, counts_from, schedule, schedule_seed FROM definition JOIN begin ON begin.task_id = definition.id
)
SELECT id FROM definition ORDER BY ordinal
