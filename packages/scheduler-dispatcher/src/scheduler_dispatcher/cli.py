"""The console script scheduler-dispatcher."""

from scheduler_core.runtime import run_component_script


def main() -> int:
    """Run a dispatcher until a signal; returns the exit code."""
    return run_component_script("dispatcher")
