"""Where output goes: data to stdout, everything said about it to stderr."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TextIO

OutputFormat = Literal["table", "json"]


def say(*lines: str) -> None:
    """Tell a person something, on stderr."""
    for line in lines or ("",):
        print(line, file=sys.stderr, flush=True)


def complain(text: str) -> None:
    """Tell a person what went wrong, on stderr, as ``error: …``."""
    mark = "error:"
    if wants_colour(sys.stderr):
        mark = f"\x1b[1;31m{mark}\x1b[0m"
    say(f"{mark} {text}")


def warn(text: str) -> None:
    """Tell a person what deserves attention, on stderr, as ``warning: …``."""
    mark = "warning:"
    if wants_colour(sys.stderr):
        mark = f"\x1b[33m{mark}\x1b[0m"
    say(f"{mark} {text}")


def write_json(data: Any) -> None:
    """Write one JSON document to stdout."""
    print(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def write_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows to stdout: a table on a terminal, tab-separated values with a header in a pipe."""
    if not sys.stdout.isatty():
        for row in [columns, *rows]:
            print("\t".join(_one_line(cell) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    Console(no_color=not wants_colour(sys.stdout), highlight=False).print(table)


def _one_line(cell: Any) -> str:
    return str(cell).replace("\t", " ").replace("\n", " ")


def wants_colour(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a stream is a terminal and nobody has set NO_COLOR."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
