"""HTTP API, dashboard and client commands of the Scheduler."""
