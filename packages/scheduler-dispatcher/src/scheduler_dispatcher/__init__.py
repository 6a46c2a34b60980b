"""Schedules, dependencies and dispatch of the Scheduler."""
