"""Executors and heartbeat of the Scheduler."""
