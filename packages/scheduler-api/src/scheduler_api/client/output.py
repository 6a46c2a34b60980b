"""Where a command's words go: data to stdout, as a table or as JSON, and everything else to stderr."""

import itertools
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from scheduler_api.client.client_error import ClientError
from scheduler_api.client.table_layout import FOLDED, GAP, layout_of
from scheduler_core.runtime.console import OutputFormat, complain, wants_colour

if TYPE_CHECKING:
    from rich.console import Console

_STATUS_STYLES = {
    "COMPLETED": "green",
    "ACTIVE": "green",
    "ALIVE": "green",
    "RUNNING": "cyan",
    "DISPATCHED": "cyan",
    "FAILED": "red",
    "TIMEOUT": "red",
    "QUARANTINED": "red",
    "LOST": "red",
    "CANCELLED": "yellow",
    "SKIPPED": "yellow",
    "PAUSED": "yellow",
    "INACTIVE": "dim",
    "ENDED": "dim",
}
_MEASURED_ROWS = 200
_ERROR_CHARACTERS_MAX = 60
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_CONTROL_OR_LINE_END = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Colours may pass, and whatever else could move the cursor, retitle or reprogram the terminal may not.
_CONTROL_BUT_COLOUR = re.compile(r"(\x1b\[[0-9;:]*m)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Progress(Protocol):
    """Shows what is being waited for."""

    def say(self, text: str) -> None:
        """Replace the line that is shown."""


class Output:
    """The two streams of one command. rich is imported when the first table is drawn, never for JSON."""

    def __init__(self, output_format: OutputFormat = "table", *, quiet: bool = False) -> None:
        self.format = output_format
        self.quiet = quiet

    @property
    def is_json(self) -> bool:
        """Whether data is written as JSON."""
        return self.format == "json"

    @property
    def is_watched(self) -> bool:
        """Whether somebody sees on a terminal what is written to stderr."""
        return not self.quiet and sys.stderr.isatty()

    def json(self, value: Any) -> None:
        """Write one JSON document, indented, to stdout."""
        sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def json_line(self, value: Any) -> None:
        """Write one JSON document on one line to stdout."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write a table to stdout.

        In a pipe columns are separated by tabs, and nothing is cut. On a terminal texts fold, of errors there is the
        first line, columns without any value are dropped, and where there is no room the least needed ones, too.
        """
        if not sys.stdout.isatty():
            _write_tabbed([headings, *rows])
            return
        from rich.table import Table

        console = _console(sys.stdout)
        rows = _glanced(headings, rows)
        layout = layout_of(headings, rows, console.width)
        table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False, padding=(0, GAP, 0, 0))
        for column, width in zip(layout.columns, layout.widths, strict=True):
            folds = headings[column] in FOLDED
            table.add_column(headings[column], width=width, no_wrap=not folds, overflow="fold" if folds else "ellipsis")
        for row in rows:
            table.add_row(*(_cell(row[column]) for column in layout.columns))
        console.width = max(console.width, layout.width + GAP)
        console.print(table)
        if layout.left_out:
            self.note(f"There is no room for {', '.join(layout.left_out)}; a wider terminal, or -o json, has them.")

    def has_room(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
        """Whether each row of a table takes one line; in a pipe always."""
        if not sys.stdout.isatty():
            return True
        width = _console(sys.stdout).width
        return layout_of(headings, rows, 10_000).width <= width

    def lines(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table of any length to stdout line by line: on a terminal as wide as its first rows ask for."""
        if not sys.stdout.isatty():
            _write_tabbed([headings])
            _write_tabbed(rows)
            return
        rows = iter(rows)
        first = [list(headings), *itertools.islice(rows, _MEASURED_ROWS)]
        widths = [max(map(len, column)) for column in zip(*first, strict=True)]
        for row in itertools.chain(first, rows):
            line = "  ".join(printable(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
            sys.stdout.write(f"{line.rstrip()}\n")

    def fields(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Write names and values to stdout, one pair a line; on a terminal values keep their own line ends."""
        if not sys.stdout.isatty():
            _write_tabbed(pairs)
            return
        from rich.table import Table

        table = Table(box=None, pad_edge=False, show_edge=False, show_header=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in pairs:
            table.add_row(name, _cell(value, keep_lines=True))
        self._draw(table)

    def raw(self, text: str) -> None:
        """Write a job's own output to stdout: unchanged into files and pipes, harmless on a terminal."""
        sys.stdout.write(_CONTROL_BUT_COLOUR.sub(_visible_but_colour, text) if sys.stdout.isatty() else text)

    def flush(self) -> None:
        """Hand over what is buffered; raises BrokenPipeError when the reader has left."""
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Write a sentence for people to stderr, unless --quiet."""
        if not self.quiet:
            sys.stderr.write(printable(text, keep_lines=True) + "\n")

    def trouble(self, text: str) -> None:
        """Write what went wrong with a run to stderr, --quiet or not; with -o json it is in the data."""
        if not self.is_json:
            sys.stderr.write(printable(text, keep_lines=True) + "\n")

    def error(self, error: ClientError) -> None:
        """Write an error to stderr: a paragraph, or its problem document with -o json."""
        if self.is_json:
            sys.stderr.write(json.dumps(error.problem, indent=2, ensure_ascii=False) + "\n")
        else:
            complain(printable(str(error), keep_lines=True))

    @contextmanager
    def progress(self, text: str) -> Iterator[Progress]:
        """Show on stderr what is being waited for; silent with --quiet and where stderr is no terminal."""
        if self.quiet or not sys.stderr.isatty():
            yield _Silence()
            return
        with _console(sys.stderr).status(printable(text)) as status:
            yield _Spinner(status.update)

    def _draw(self, table: Any) -> None:
        _console(sys.stdout).print(table)


def error_glance(error: str | None) -> str:
    """The first line of an error, cut to a glance; "-" for none."""
    line = ((error or "").strip().splitlines() or ["-"])[0]
    return line if len(line) <= _ERROR_CHARACTERS_MAX else line[: _ERROR_CHARACTERS_MAX - 1] + "…"


def _glanced(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [
        [error_glance(cell) if heading == "ERROR" else cell for heading, cell in zip(headings, row, strict=True)]
        for row in rows
    ]


class _Silence:
    def say(self, text: str) -> None:
        """Say nothing."""


class _Spinner:
    def __init__(self, update: Any) -> None:
        self._update = update

    def say(self, text: str) -> None:
        self._update(printable(text))


def printable(text: str, *, keep_lines: bool = False) -> str:
    r"""Make control characters visible, so that text from elsewhere cannot command the terminal.

    >>> printable("a\x1b[2Jb\nc"), printable("b\nc", keep_lines=True)
    ('a\\x1b[2Jb\\x0ac', 'b\nc')
    """
    return (_CONTROL if keep_lines else _CONTROL_OR_LINE_END).sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]):02x}"


def _visible_but_colour(match: re.Match[str]) -> str:
    return match[1] or _visible(match)


def _cell(value: str, *, keep_lines: bool = False) -> Any:
    from rich.text import Text

    return Text(printable(value, keep_lines=keep_lines), style=_STATUS_STYLES.get(value, ""))


def _console(stream: TextIO) -> "Console":
    from rich.console import Console

    return Console(file=stream, no_color=not wants_colour(stream), highlight=False, markup=False, emoji=False)


def _write_tabbed(rows: Iterable[Sequence[str]]) -> None:
    for row in rows:
        sys.stdout.write("\t".join(printable(" ".join(cell.split())) for cell in row) + "\n")
