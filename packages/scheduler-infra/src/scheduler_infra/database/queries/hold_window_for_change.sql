-- Waits for the window and holds it until the commit: no run is sorted into a stream, or let through, meanwhile. So all
-- changes of limits come one after another, too.
SELECT id FROM scheduler.dispatch_state WHERE id = 1 FOR UPDATE
