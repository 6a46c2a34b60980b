"""Brings a database to the schema this version needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.pool import NullPool

from scheduler_core.errors import SchemaVersionError
from scheduler_infra.database.database_error import translated
from scheduler_infra.database.tables import SCHEMA

_LOCK_KEY = 7_268_349_155
"""Any fixed number: transactions that migrate take turns on it."""


def migrations_dir() -> Path:
    """Where the migrations are; raises SchemaVersionError when the checkout lost the directory link."""
    folder = Path(__file__).parent / "migrations"
    if not folder.is_dir():
        raise SchemaVersionError(
            f"{folder} is not a directory: this checkout was made without symbolic links. "
            "Set `git config core.symlinks true` and check the file out again."
        )
    return folder


def head() -> str:
    """The newest migration's number."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def upgrade(url: str) -> str:
    """Apply what is missing, one migrator at a time, all or nothing; returns the number reached."""
    with _locked_connection(url) as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return head()


def current(url: str) -> str | None:
    """The number the database is at; None for a database without our schema."""
    with _connection(url) as connection:
        return _current(connection)


def upgrade_sql() -> str:
    """The SQL that `upgrade` would run on an empty database, for people who apply it themselves."""
    config = _config()
    config.output_buffer = StringIO()
    command.upgrade(config, "head", sql=True)
    return config.output_buffer.getvalue()


def differences(url: str) -> list[Any]:
    """Where the database's tables differ from `tables.py`; empty when they agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    from scheduler_infra.database.tables import metadata

    with _connection(url) as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _parents: kind != "schema" or name == SCHEMA,
                "version_table_schema": SCHEMA,
            },
        )
        return list(compare_metadata(context, metadata))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_dir()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _connect(url: str) -> psycopg.Connection[Any]:
    connection = psycopg.connect(url, connect_timeout=10)
    # The default path begins with the user's own name: for a user called like our schema SQLAlchemy would take that
    # for the default schema and leave its name out of every table.
    connection.execute("SET search_path TO public")
    connection.commit()
    return connection


@contextmanager
def _connection(url: str) -> Iterator[sqlalchemy.Connection]:
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: _connect(url), poolclass=NullPool)
    try:
        with translated(), engine.connect() as connection:
            yield connection
    except sqlalchemy.exc.DBAPIError as error:
        with translated():
            raise (error.orig or error) from error
    finally:
        engine.dispose()


@contextmanager
def _locked_connection(url: str) -> Iterator[sqlalchemy.Connection]:
    with _connection(url) as connection, connection.begin():
        # A lock of the transaction, never of the session: it cannot outlive a lost connection or a pooler's reuse.
        connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        connection.execute(sqlalchemy.text("SET LOCAL lock_timeout = '10s'"))
        # IF NOT EXISTS would ask for the right to create schemas also where an administrator has made this one.
        missing = connection.execute(sqlalchemy.text("SELECT to_regnamespace(:name) IS NULL"), {"name": SCHEMA})
        if missing.scalar_one():
            connection.execute(sqlalchemy.text(f"CREATE SCHEMA {SCHEMA}"))
        yield connection


def _current(connection: sqlalchemy.Connection) -> str | None:
    exists = connection.execute(
        sqlalchemy.text("SELECT to_regclass(:name) IS NOT NULL"), {"name": f"{SCHEMA}.alembic_version"}
    ).scalar_one()
    if not exists:
        return None
    version: str | None = connection.execute(
        sqlalchemy.text(f"SELECT version_num FROM {SCHEMA}.alembic_version")
    ).scalar()
    return version
