-- Runs by hand of tasks that stand alone, in one statement of its own: what lock_graph, a plan of one member and
-- create_flows would make. What is asked for makes nothing where that is not so: the task has another version than the
-- caller has read or is not ACTIVE, others depend on it or it on others, its runs are groups or have a condition, are
-- gated, or time out in their queue.
-- The task is locked in shared mode until the end, as by lock_graph; and as there, whoever adds an edge to a task
-- meanwhile comes after the runs that are made here. One that is being changed makes no run either: who asks for others
-- would have to wait for it.
-- They come as JSON because PostgreSQL expects as many rows of that whatever is in it: of arrays it would find a plan for
-- the given lengths cheaper than the general one, and plan each statement anew, which takes longer than to carry it out.
-- With a channel_prefix, the emptiest sessions that can take the lane that all of these have in common are notified at the
-- commit, as many as have places for `ring_runs` runs: is_rung says that nobody else is to be rung for them. Not so when
-- they are of several lanes, or when the sessions that were looked at, sixteen at most, have too few free places: one that
-- seemed full may look in vain and go to sleep before the commit, so that somebody has to look again after it.
WITH wish AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(wanted)s::jsonb)
        AS wish(ordinal integer, task_id bigint, task_version_id bigint, parameters text, trace_context text)
), locked AS MATERIALIZED (
    SELECT tasks.id, tasks.task_version_id, tasks.status, tasks.namespace
    FROM scheduler.tasks
    WHERE tasks.id = ANY(ARRAY(SELECT task_id FROM wish)) AND tasks.status = 'ACTIVE'
    ORDER BY tasks.id
    FOR SHARE OF tasks SKIP LOCKED
), alone AS MATERIALIZED (
    SELECT locked.id AS task_id, locked.task_version_id, locked.namespace,
           version.queue, version.task_type, version.priority, version.max_retries,
           (version.run_options ->> 'total_timeout_seconds')::double precision AS total_timeout_seconds
    FROM locked
    JOIN scheduler.task_versions AS version ON version.id = locked.task_version_id
    WHERE version.flow_options = '{}'
      AND version.run_options ->> 'queue_timeout_seconds' IS NULL
      AND NOT version.gated
      AND (version.dispatch_options ->> 'strategy' = 'shared'
           OR (SELECT state.strategy = 'shared' FROM scheduler.dispatch_state AS state))
      AND NOT EXISTS (SELECT FROM scheduler.task_dependencies AS edge WHERE edge.task_id = locked.id)
      AND NOT EXISTS (SELECT FROM scheduler.task_dependencies AS edge WHERE edge.depends_on_task_id = locked.id)
      AND NOT EXISTS (SELECT FROM scheduler.task_links AS link WHERE link.task_id = locked.id)
      AND NOT EXISTS (SELECT FROM scheduler.task_links AS link WHERE link.other_task_id = locked.id)
), run AS MATERIALIZED (
    SELECT nextval('scheduler.task_runs_id_seq') AS id, wish.ordinal, wish.parameters, wish.trace_context, alone.*
    FROM wish
    JOIN alone ON alone.task_id = wish.task_id AND alone.task_version_id = wish.task_version_id
), made AS (
    INSERT INTO scheduler.task_runs (id, task_id, task_version_id, flow_id, scheduled_at, not_before, created_at,
                                     max_retries, waiting_on, priority, needs_settlement, held, status, trigger,
                                     namespace, queue, task_type, parameters, trace_context, claim_at,
                                     total_timeout_seconds)
    SELECT run.id, run.task_id, run.task_version_id, run.id, moment.now, moment.now, moment.now,
           run.max_retries, 0, run.priority, false, false, 'DISPATCHED', 'MANUAL',
           run.namespace, run.queue, run.task_type, run.parameters::jsonb, run.trace_context,
           scheduler.claim_at(moment.now, run.priority), run.total_timeout_seconds
    FROM run
    CROSS JOIN (SELECT clock_timestamp() AS now OFFSET 0) AS moment
    ORDER BY run.ordinal
    RETURNING id, flow_id, task_id, status, queue, task_type, scheduled_at
), lane AS MATERIALIZED (
    SELECT min(run.queue) AS queue, min(run.task_type) AS task_type
    FROM run
    WHERE %(channel_prefix)s::text IS NOT NULL
    HAVING min(run.queue) = max(run.queue) AND min(run.task_type) = max(run.task_type)
), able AS MATERIALIZED (
    SELECT session.id, session.places, random() AS chance
    FROM lane
    JOIN scheduler.worker_sessions AS session
        ON lane.queue = ANY(session.queues) AND lane.task_type = ANY(session.task_types)
    WHERE session.state = 'ALIVE' AND NOT session.draining AND session.lease_expires_at > clock_timestamp()
    ORDER BY chance
    LIMIT 16
), free AS MATERIALIZED (
    SELECT able.id, able.places - held.runs AS places,
           sum(able.places - held.runs) OVER emptiest AS places_so_far
    FROM able
    CROSS JOIN LATERAL (SELECT count(*) AS runs FROM scheduler.task_runs AS run
                        WHERE run.session_id = able.id AND run.status = 'RUNNING') AS held
    WHERE able.places > held.runs
    WINDOW emptiest AS (ORDER BY able.places - held.runs DESC, able.chance ROWS UNBOUNDED PRECEDING)
), ring AS MATERIALIZED (
    SELECT count(pg_notify(%(channel_prefix)s::text || free.id, %(payload)s::text)) AS sessions,
           coalesce(max(free.places_so_far), 0) >= %(ring_runs)s AS is_enough
    FROM free
    WHERE free.places_so_far - free.places < %(ring_runs)s
)
SELECT run.ordinal, made.*, ring.is_enough AND EXISTS (SELECT FROM lane) AS is_rung
FROM made
JOIN run ON run.id = made.id
CROSS JOIN ring
