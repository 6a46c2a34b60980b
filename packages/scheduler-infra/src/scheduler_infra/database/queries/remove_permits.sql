-- Removes the permits of keys that this transaction removes and holds. What another transaction holds is stepped over: it
-- removes them with their runs.
DELETE FROM scheduler.task_run_permits AS permit
USING (
    SELECT held.limit_key_id, held.run_id
    FROM scheduler.task_run_permits AS held
    WHERE held.limit_key_id = ANY(%(key_ids)s::bigint[])
    FOR UPDATE SKIP LOCKED
) AS held
WHERE permit.limit_key_id = held.limit_key_id AND permit.run_id = held.run_id
