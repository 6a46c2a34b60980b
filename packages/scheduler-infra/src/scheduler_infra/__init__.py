"""PostgreSQL repositories, message queues and observability of the Scheduler."""
