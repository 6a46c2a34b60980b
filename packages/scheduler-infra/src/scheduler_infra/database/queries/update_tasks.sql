-- One more version of each task, in the order given. Runs that nobody has claimed take the new version, queue,
-- type and priority in the same transaction: what was answered holds for whatever starts later. Gated ones are sorted
-- into their streams anew.
-- A schedule that stays keeps its stored due instant: the caller's may be older than a resume or a slot in between.
-- Another one counts from now on, or from just before its first slot when that has passed already, which it has only
-- where no schedule counted before; the caller has recorded what passed of the former one.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), definition AS MATERIALIZED (
    SELECT wide.*, nextval('scheduler.task_versions_id_seq') AS version_id,
           wide.flow_options ?| ARRAY['when', 'sub_flow', 'shards', 'map_over', 'broadcast'] AS expands,
           wide.dispatch_options ->> 'strategy' IS DISTINCT FROM 'shared'
               AND (SELECT state.strategy <> 'shared' FROM scheduler.dispatch_state AS state) AS is_chosen_for
    FROM jsonb_to_recordset(%(definitions)s::jsonb) AS wide(
        task_id bigint, namespace text, name text, description text, task_type text, parameters jsonb,
        schedule jsonb, dependencies jsonb, queue text, priority smallint, timeout_seconds double precision,
        max_retries integer, retry jsonb, misfire text, misfire_grace_seconds double precision,
        misfire_runs_max integer, overlap text, flow_options jsonb, dispatch_options jsonb, run_options jsonb, gated boolean,
        parameters_schema jsonb,
        next_due_at timestamptz)
), changed AS (
    UPDATE scheduler.tasks
    SET name = definition.name, version = tasks.version + 1, task_version_id = definition.version_id,
        updated_at = moment.now
    FROM definition CROSS JOIN moment
    WHERE tasks.id = definition.task_id AND tasks.status <> 'INACTIVE'
    RETURNING tasks.id, tasks.version, tasks.status, tasks.schedule_seed
), version AS (
    INSERT INTO scheduler.task_versions (id, task_id, version, task_type, description, parameters, schedule,
                                         dependencies, queue, priority, timeout_seconds, max_retries, retry,
                                         misfire, misfire_grace_seconds, misfire_runs_max, overlap, flow_options,
                                         dispatch_options, run_options, gated, parameters_schema, created_at)
    SELECT version_id, task_id, changed.version, task_type, description, parameters, nullif(schedule, 'null'::jsonb),
           dependencies, queue, priority, timeout_seconds, max_retries, retry, misfire, misfire_grace_seconds,
           misfire_runs_max, overlap, flow_options, dispatch_options, run_options, gated,
           nullif(parameters_schema, 'null'::jsonb), now
    FROM definition JOIN changed ON changed.id = definition.task_id CROSS JOIN moment
), replanned AS MATERIALIZED (
    SELECT definition.task_id, definition.schedule, definition.next_due_at, changed.status,
           changed.schedule_seed AS seed, moment.now,
           least(moment.now, definition.next_due_at - interval '1 microsecond') AS counts_from
    FROM definition
    JOIN changed ON changed.id = definition.task_id
    LEFT JOIN scheduler.schedules ON schedules.task_id = definition.task_id
    CROSS JOIN moment
    WHERE schedules.schedule IS DISTINCT FROM nullif(definition.schedule, 'null'::jsonb)
), planned AS (
    INSERT INTO scheduler.schedules (task_id, schedule, next_due_at, recorded_from)
    SELECT task_id, schedule, CASE WHEN status = 'ACTIVE' THEN next_due_at END, counts_from
    FROM replanned
    WHERE schedule <> 'null'::jsonb
    ON CONFLICT (task_id) DO UPDATE
        SET schedule = excluded.schedule, next_due_at = excluded.next_due_at, last_slot_at = excluded.recorded_from,
            awaits_run_id = NULL
), unplanned AS (
    DELETE FROM scheduler.schedules
    USING replanned
    WHERE schedules.task_id = replanned.task_id AND coalesce(replanned.schedule, 'null'::jsonb) = 'null'::jsonb
), closed AS (
    UPDATE scheduler.schedule_periods AS period
    SET counts_until = replanned.now
    FROM replanned
    WHERE period.task_id = replanned.task_id AND period.counts_until IS NULL
), opened AS (
    INSERT INTO scheduler.schedule_periods (task_id, counts_from, schedule, seed)
    SELECT task_id, counts_from, schedule, seed
    FROM replanned
    WHERE schedule <> 'null'::jsonb
), rerouted AS (
    UPDATE scheduler.task_runs
    SET task_version_id = definition.version_id, queue = definition.queue, task_type = definition.task_type,
        priority = definition.priority, max_retries = definition.max_retries,
        queue_timeout_seconds = (definition.run_options ->> 'queue_timeout_seconds')::double precision,
        total_timeout_seconds = (definition.run_options ->> 'total_timeout_seconds')::double precision,
        start_before = CASE WHEN task_runs.attempt > 0 THEN task_runs.start_before
                            WHEN task_runs.waiting_on = 0 AND NOT task_runs.held
                            THEN task_runs.not_before
                                 + (definition.run_options ->> 'queue_timeout_seconds')::double precision
                                   * interval '1 second' END,
        expands = nullif(definition.expands, false),
        gated = nullif(definition.gated OR task_runs.background IS TRUE OR definition.is_chosen_for, false),
        stream_id = NULL, limit_key_ids = NULL, assigned_to = NULL, offered_at = NULL,
        claim_at = scheduler.claim_at(task_runs.not_before, definition.priority),
        status = CASE WHEN definition.expands OR definition.gated OR task_runs.gated THEN 'PENDING'
                      ELSE task_runs.status END
    FROM definition
    -- A group that has its runs goes on with them as it was made.
    WHERE task_runs.task_id = definition.task_id
      AND CASE task_runs.status WHEN 'PENDING' THEN true WHEN 'DISPATCHED' THEN true ELSE false END
      AND task_runs.group_size IS NULL AND task_runs.shard_index IS NULL
)
SELECT id FROM changed
