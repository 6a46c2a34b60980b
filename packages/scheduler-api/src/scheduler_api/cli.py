"""The console script scheduler-api."""

from scheduler_core.runtime import CommandGroup, run_component_script

COMMANDS = (CommandGroup("openapi", "scheduler_api.openapi_command:app", "Write the OpenAPI document of the API."),)


def main() -> int:
    """Run the HTTP API until a signal; returns the exit code."""
    return run_component_script("api", commands=COMMANDS)
