"""`scheduler-infra db`: the database's schema."""

from cyclopts import App

from scheduler_core.config import load_settings
from scheduler_core.runtime.config_options import ConfigOptions
from scheduler_core.runtime.console import complain, say, write_json
from scheduler_core.runtime.output_option import Output

app = App(name="db", help="Look at or migrate the database's schema.")


@app.command
def upgrade(*, config: ConfigOptions | None = None) -> int:
    """Bring the database to the schema this version needs; safe to repeat and to run twice at once."""
    from scheduler_infra.database import migrator

    url = _url(config)
    before = migrator.current(url)
    after = migrator.upgrade(url)
    if before == after:
        say(f"The schema is at migration {after} already.")
    else:
        say(f"The schema went from migration {before or 'none'} to {after}.")
    return 0


@app.command
def current(*, output: Output = "table", config: ConfigOptions | None = None) -> int:
    """Write the migration the database is at, and the one this version needs."""
    from scheduler_infra.database import migrator

    found = migrator.current(_url(config))
    if output == "json":
        write_json({"current": found, "head": migrator.head()})
    else:
        print(found or "none")
    return 0


@app.command
def check(*, config: ConfigOptions | None = None) -> int:
    """Compare the database with this version; exit code 1 when they differ."""
    from scheduler_infra.database import migrator

    url = _url(config)
    found, head = migrator.current(url), migrator.head()
    if found != head:
        complain(
            f"The schema is at migration {found or 'none'}, this version needs {head}: "
            "run `scheduler-infra db upgrade`."
        )
        return 1
    differences = migrator.differences(url)
    for difference in differences:
        complain(f"The database differs from migration {head}: {difference}")
    if not differences:
        say(f"The schema is at migration {head}, as this version needs it.")
    return 1 if differences else 0


@app.command
def sql() -> int:
    """Write the SQL that `upgrade` would run on an empty database, for people who apply it themselves."""
    from scheduler_infra.database import migrator

    print(migrator.upgrade_sql())
    return 0


def _url(config: ConfigOptions | None) -> str:
    from scheduler_infra.database import DatabaseConfig, resolve_direct_url

    config = config or ConfigOptions()
    settings = load_settings(config.flags, config_dir=config.config_dir)
    section = settings.section(DatabaseConfig)
    # Migrations hold a lock for a whole transaction: they go round a transaction pooler when there is a way.
    return resolve_direct_url(section, settings.state_dir)
