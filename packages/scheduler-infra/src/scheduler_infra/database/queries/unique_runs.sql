-- What locked keys of a task stand for; a key without a run is left out.
SELECT held.key, held.run_id, run.status, held.created_at,
       extract(epoch FROM coalesce(%(now)s::timestamptz, clock_timestamp()) - held.created_at)::double precision
           AS age_seconds
FROM scheduler.task_unique_keys AS held
LEFT JOIN scheduler.task_runs AS run ON run.id = held.run_id
WHERE held.task_id = %(task_id)s AND held.key = ANY(%(keys)s::text[]) AND held.run_id <> 0
