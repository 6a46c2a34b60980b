-- The newest session of a worker, alive or not, takes nothing new from now on, or takes runs again. Claims under way hold
-- the row, so they end before this does; none that begins later starts anything.
UPDATE scheduler.worker_sessions AS session
SET drain_requested = %(drained)s, draining = %(drained)s
WHERE session.id = (SELECT max(newest.id)
                    FROM scheduler.worker_sessions AS newest
                    WHERE newest.worker_id = %(worker_id)s)
RETURNING session.id
