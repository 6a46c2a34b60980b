"""Data and messages keep apart."""

import io
import json

import pytest

from scheduler_core.runtime.console import complain, wants_colour, warn, write_json, write_table


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def test_messages_go_to_stderr_and_data_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe gets data and nothing else."""
    complain("broken")
    warn("odd")
    write_json({"a": "ü"})
    told = capsys.readouterr()
    assert told.err == "error: broken\nwarning: odd\n"
    assert json.loads(told.out) == {"a": "ü"}


def test_write_table_in_a_pipe_is_one_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    """Cells with line breaks and tabs cannot break the rows."""
    write_table(["a", "b"], [["x\ny", "1\t2"]])
    assert capsys.readouterr().out == "a\tb\nx y\t1 2\n"


def test_write_table_on_a_terminal_keeps_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks like markup is shown as it is."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    write_table(["name"], [["[red]x[/red]"]])
    assert "[red]x[/red]" in terminal.getvalue()


@pytest.mark.parametrize(
    ("stream", "environ", "wanted"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_wants_colour_only_on_terminals(stream: io.StringIO, environ: dict[str, str], wanted: bool) -> None:
    """Files, pipes, dumb terminals and NO_COLOR get plain text."""
    assert wants_colour(stream, environ) is wanted
