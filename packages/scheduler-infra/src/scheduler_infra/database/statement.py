"""SQLModel's statements, run over our own driver connection instead of SQLAlchemy's engine."""

from typing import Any, LiteralString

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql import ClauseElement

_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


def compiled(statement: ClauseElement) -> tuple[LiteralString, dict[str, Any]]:
    """The text and the parameters that psycopg takes for a SQLModel statement."""
    ready = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    return str(ready), dict(ready.params)
