-- All runs of the requested flows, their edges and the roots' slots, in one statement.
-- A request whose slot exists already makes nothing: the primary key of slots is the promise "one run per slot".
-- Each plan (members, edges) is sent once, however many flows follow it; roots get their ids first and in order.
-- With a flow id the runs join that flow. What a run takes over of one of an earlier flow is written by take_over_runs.
-- A root that waits for earlier runs (which the caller holds locked, so that they cannot end before this is committed)
-- gets an edge from each: its birth status must then be PENDING. Gated runs are never born DISPATCHED; those that wait for
-- nothing but their turn are born in the stream of their version, where that has one for all its runs.
WITH moment AS MATERIALIZED (
    SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now
), member AS MATERIALIZED (
    SELECT planned.plan, planned.position, planned.task_id, planned.task_version_id, planned.status,
           planned.waiting_on, planned.needs_settlement, planned.trigger_rule, planned.upstreams, planned.expands,
           planned.is_tolerated, planned.successes, planned.failures, planned.skips, planned.retry_of AS retried_id,
           tasks.namespace, tasks.status = 'PAUSED' AS held,
           version.queue, version.task_type, version.priority, version.max_retries,
           version.gated OR (version.dispatch_options ->> 'strategy' IS DISTINCT FROM 'shared'
                             AND (SELECT state.strategy <> 'shared' FROM scheduler.dispatch_state AS state)) AS gated,
           version.stream_id,
           (version.run_options ->> 'queue_timeout_seconds')::double precision AS queue_timeout_seconds,
           (version.run_options ->> 'total_timeout_seconds')::double precision AS total_timeout_seconds
    FROM unnest(%(member_plans)s::integer[], %(member_positions)s::integer[], %(member_tasks)s::bigint[],
                %(member_versions)s::bigint[], %(member_statuses)s::text[], %(member_waiting_on)s::integer[],
                %(member_needs_settlement)s::boolean[], %(member_trigger_rules)s::text[],
                %(member_upstreams)s::integer[], %(member_expands)s::boolean[], %(member_is_tolerated)s::boolean[],
                %(member_successes)s::integer[], %(member_failures)s::integer[], %(member_skips)s::integer[],
                %(member_retry_of)s::bigint[])
        AS planned(plan, position, task_id, task_version_id, status, waiting_on, needs_settlement, trigger_rule,
                   upstreams, expands, is_tolerated, successes, failures, skips, retry_of)
    JOIN scheduler.tasks ON tasks.id = planned.task_id
    JOIN scheduler.task_versions AS version ON version.id = planned.task_version_id
), flow AS MATERIALIZED (
    SELECT wish.*, nextval('scheduler.task_runs_id_seq') AS root_id
    FROM unnest(%(flow_plans)s::integer[], %(flow_copies)s::integer[], %(flow_triggers)s::text[],
                %(flow_scheduled_at)s::timestamptz[], %(flow_not_before)s::timestamptz[], %(flow_slots)s::boolean[],
                %(flow_parameters)s::text[], %(flow_retry_of)s::bigint[], %(flow_traces)s::text[],
                %(flow_interval_from)s::timestamptz[], %(flow_interval_to)s::timestamptz[],
                %(flow_awaited_counts)s::integer[], %(flow_ids)s::bigint[], %(flow_group_ids)s::bigint[],
                %(flow_background)s::boolean[])
        WITH ORDINALITY
        AS wish(plan, copies, trigger, scheduled_at, not_before, slot, parameters, retry_of, trace_context,
                interval_from, interval_to, awaited, flow_id, group_id, background, ordinal)
    CROSS JOIN LATERAL generate_series(1, wish.copies)
), slot AS (
    INSERT INTO scheduler.slots (task_id, scheduled_at, shard_index, last_scheduled_at, count, run_id, zone_data)
    SELECT member.task_id, flow.scheduled_at, 0, flow.scheduled_at, 1, flow.root_id, %(zone_data)s
    FROM flow
    JOIN member ON member.plan = flow.plan AND member.position = 0
    WHERE flow.slot
    ON CONFLICT DO NOTHING
    RETURNING run_id
), run AS MATERIALIZED (
    SELECT accepted.*,
           CASE WHEN position = 0 THEN root_id ELSE nextval('scheduler.task_runs_id_seq') END AS id
    FROM (
        SELECT flow.root_id, flow.ordinal, flow.trigger, flow.scheduled_at, flow.not_before, flow.parameters,
               flow.retry_of, flow.trace_context, flow.interval_from, flow.interval_to, flow.flow_id, flow.group_id,
               flow.background,
               CASE WHEN member.position = 0 THEN flow.awaited ELSE 0 END AS awaited, member.*
        FROM flow
        JOIN member ON member.plan = flow.plan
        WHERE NOT flow.slot OR flow.root_id IN (SELECT run_id FROM slot)
        ORDER BY flow.root_id, member.position
    ) AS accepted
), edge AS (
    INSERT INTO scheduler.task_run_dependencies (upstream_run_id, run_id, regardless, tolerant, given)
    SELECT upstream.id, downstream.id, false, upstream.is_tolerated, false
    FROM unnest(%(edge_plans)s::integer[], %(edge_upstreams)s::integer[], %(edge_downstreams)s::integer[])
        AS planned(plan, upstream, downstream)
    JOIN run AS upstream ON upstream.plan = planned.plan AND upstream.position = planned.upstream
    JOIN run AS downstream ON downstream.root_id = upstream.root_id AND downstream.position = planned.downstream
    UNION ALL
    SELECT awaited.run_id, run.id, true, false, false
    FROM unnest(%(awaited_flows)s::bigint[], %(awaited_runs)s::bigint[]) AS awaited(ordinal, run_id)
    JOIN run ON run.ordinal = awaited.ordinal AND run.position = 0
    UNION ALL
    SELECT given.run_id, run.id, false, false, true
    FROM unnest(%(given_plans)s::integer[], %(given_runs)s::bigint[], %(given_downstreams)s::integer[])
        AS given(plan, run_id, downstream)
    JOIN run ON run.plan = given.plan AND run.position = given.downstream
)
INSERT INTO scheduler.task_runs (id, task_id, task_version_id, flow_id, retry_of, scheduled_at, not_before, created_at,
                                 max_retries, waiting_on, priority, needs_settlement, held, status, trigger, namespace,
                                 queue, task_type, parameters, trace_context, interval_from, interval_to,
                                 trigger_rule, upstreams, upstream_successes, upstream_failures, upstream_skips,
                                 expands, group_id, claim_at, gated, background, stream_id, queue_timeout_seconds,
                                 total_timeout_seconds, start_before)
SELECT run.id, run.task_id, run.task_version_id, coalesce(run.flow_id, run.root_id),
       CASE WHEN run.position = 0 THEN coalesce(run.retry_of, run.retried_id) ELSE run.retried_id END,
       coalesce(run.scheduled_at, moment.now),
       coalesce(CASE WHEN run.position = 0 THEN run.not_before END, run.scheduled_at, moment.now),
       moment.now, run.max_retries, run.waiting_on + run.awaited, run.priority, run.needs_settlement, run.held,
       CASE WHEN run.status = 'DISPATCHED' AND (run.gated OR run.background) THEN 'PENDING' ELSE run.status END,
       CASE WHEN run.position = 0 OR run.retried_id IS NOT NULL THEN run.trigger ELSE 'DEPENDENCY' END,
       run.namespace, run.queue, run.task_type,
       CASE WHEN run.position = 0 THEN run.parameters::jsonb END,
       run.trace_context, run.interval_from, run.interval_to,
       run.trigger_rule, nullif(run.upstreams, 0), nullif(run.successes, 0), nullif(run.failures, 0),
       nullif(run.skips, 0), nullif(run.expands, false), run.group_id,
       scheduler.claim_at(coalesce(CASE WHEN run.position = 0 THEN run.not_before END, run.scheduled_at, moment.now),
                          run.priority),
       nullif(run.gated OR run.background, false), nullif(run.background, false),
       CASE WHEN run.status = 'DISPATCHED' AND run.gated AND NOT run.held AND NOT run.background THEN run.stream_id END,
       run.queue_timeout_seconds, run.total_timeout_seconds,
       CASE WHEN run.waiting_on + run.awaited = 0 AND NOT run.held
            THEN coalesce(CASE WHEN run.position = 0 THEN run.not_before END, run.scheduled_at, moment.now)
                 + run.queue_timeout_seconds * interval '1 second' END
FROM run
CROSS JOIN moment
ORDER BY run.position <> 0, run.id
RETURNING id, flow_id, task_id, status, queue, task_type, scheduled_at
