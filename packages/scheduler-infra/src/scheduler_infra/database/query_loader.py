"""Statements by name: each is a file in queries/, opened once."""

from functools import cache
from importlib.resources import files
from typing import LiteralString


@cache
def query(name: str) -> LiteralString:
    """The text of queries/{name}.sql, without its comment lines."""
    text = (files("scheduler_infra.database") / "queries" / f"{name}.sql").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return "\n".join(lines).strip()
