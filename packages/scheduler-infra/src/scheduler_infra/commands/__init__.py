"""Commands for operators: the database's schema and the keys of the HTTP API."""

from scheduler_core.runtime.command_group import CommandGroup

COMMANDS = (
    CommandGroup("db", "scheduler_infra.commands.database_commands:app", "Look at or migrate the database's schema."),
    CommandGroup("key", "scheduler_infra.commands.key_commands:app", "Make, list and revoke keys of the HTTP API."),
)
