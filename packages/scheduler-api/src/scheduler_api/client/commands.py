"""The command groups that this distribution adds to `scheduler`; a group's module is imported when it is used."""

from scheduler_core.runtime.command_group import CommandGroup

COMMANDS: tuple[CommandGroup, ...] = (
    CommandGroup("task", "scheduler_api.client.task_commands:app", "Define, change, trigger and look at tasks."),
    CommandGroup("run", "scheduler_api.client.run_commands:app", "Look at runs, follow, cancel, pause and retry them."),
    CommandGroup("explain", "scheduler_api.client.explain_commands:app", "Tell why something runs or does not."),
    CommandGroup("flow", "scheduler_api.client.flow_commands:app", "Look at flows, run them again, cancel them."),
    CommandGroup(
        "quarantine", "scheduler_api.client.quarantine_commands:app", "Look at runs that took their workers with them."
    ),
    CommandGroup("limit", "scheduler_api.client.limit_commands:app", "Say how many runs run at once, and how often."),
    CommandGroup("ledger", "scheduler_api.client.ledger_commands:app", "Account for every due instant."),
    CommandGroup("worker", "scheduler_api.client.worker_commands:app", "Look at the workers."),
    CommandGroup("simulate", "scheduler_api.client.simulate_command:app", "Show which slots tasks have over a time."),
    CommandGroup("status", "scheduler_api.client.status_command:app", "Say how the whole system is doing."),
)
