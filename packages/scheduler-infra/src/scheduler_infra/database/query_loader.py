"""Statements by name: each is a file in queries/, opened once."""

from contextlib import suppress
from functools import cache
from importlib.resources import files
from typing import LiteralString

with suppress(ImportError):
    from psycopg import _queries

    # psycopg takes statements apart anew at each execution when they are longer than this, and its default is less than
    # what claims and settlements have: a tenth of a millisecond each time.
    _queries.MAX_CACHED_STATEMENT_LENGTH = 16_384


@cache
def query(name: str) -> LiteralString:
    """The text of queries/{name}.sql, without its comment lines."""
    text = (files("scheduler_infra.database") / "queries" / f"{name}.sql").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return "\n".join(lines).strip()
