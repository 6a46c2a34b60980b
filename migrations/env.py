"""How Alembic reaches the database; run through `scheduler-infra db …`, which hands over the connection."""

from alembic import context

from scheduler_infra.database.tables import SCHEMA, metadata


def run_offline() -> None:
    """Write the SQL instead of running it."""
    context.configure(
        dialect_name="postgresql",
        target_metadata=metadata,
        version_table_schema=SCHEMA,
        literal_binds=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        context.run_migrations()


def run_online() -> None:
    """Migrate over the connection that the migrator opened and locked."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table_schema=SCHEMA,
        include_schemas=True,
        include_name=lambda name, kind, _parents: kind != "schema" or name == SCHEMA,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
