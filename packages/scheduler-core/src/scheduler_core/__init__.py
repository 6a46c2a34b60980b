"""Models, interfaces, configuration and runtime of the Scheduler."""
