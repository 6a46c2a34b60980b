"""Tables on terminals of all widths."""

import io
import re
import sys

import pytest

from fixtures.fake_api import FakeApi, page_of, run_document
from scheduler_api.client.output import Output
from scheduler_api.client.table_layout import layout_of
from scheduler_core.runtime.cli import main

HEADINGS = ("ID", "TASK", "STATUS", "TRIGGER", "SCHEDULED", "TOOK", "ATTEMPT", "WORKER", "ERROR")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True

    @property
    def text(self) -> str:
        """What was written, without colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.getvalue())


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stdout a terminal of 80 columns without colours; pytest sets its own stdout after fixtures are made."""
    stream = Terminal()
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", stream)
    return stream


def test_api_unit_table_breaks_no_word_in_eighty_columns(
    fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ids, statuses, triggers and times stay whole, no line is longer, and what is left out is said."""
    terminal = on_terminal(monkeypatch)
    runs = [
        run_document(id=number, task_name="nightly-warehouse-load-of-orders", status=status, trigger="DEPENDENCY",
                     worker_id="worker-eu-west-1a-0001", error="no such table: orders, and a long sentence besides")
        for number, status in ((1234567, "QUARANTINED"), (1234568, "COMPLETED"))
    ]  # fmt: skip
    fake_api.answer("GET", "/api/v1/task-runs", page_of(*runs))
    assert main(["run", "list"]) == 0
    lines = terminal.text.splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    words = terminal.text.split()
    assert {"1234567", "1234568", "QUARANTINED", "COMPLETED"} <= set(words)
    assert "There is no room for" in capsys.readouterr().err


def test_api_unit_table_of_limits_fits_into_eighty_columns(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Expressions and names of tasks go on in the next line; what a limit allows stays whole."""
    terminal = on_terminal(monkeypatch)
    limit = {
        "id": 12345,
        "name": "customer-api",
        "key": "params.env.CUSTOMER | default('nobody')",
        "concurrent": 100,
        "rate": 1000,
        "rate_seconds": 60.0,
        "burst": 1500,
        "tasks": ["fetch-orders", "send-invoices", "report"],
    }
    fake_api.answer("GET", "/api/v1/limits", page_of(limit))
    assert main(["limit", "list"]) == 0
    assert max(len(line.rstrip()) for line in terminal.text.splitlines()) <= 80
    assert {"customer-api", "100", "1000/min", "1500"} <= set(terminal.text.split())


def test_api_unit_table_drops_columns_without_any_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column of nothing but dashes is noise on a terminal; the first one stays."""
    terminal = on_terminal(monkeypatch)
    Output().table(("ID", "WORKER", "ERROR"), [("-", "-", "gone"), ("-", "-", "-")])
    assert [line.split() for line in terminal.text.splitlines()] == [["ID", "ERROR"], ["-", "gone"], ["-", "-"]]


def test_api_unit_table_shows_of_an_error_its_first_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, where the whole is one command away."""
    terminal = on_terminal(monkeypatch)
    Output().table(("ID", "ERROR"), [("1", "first line\nsecond line")])
    assert "first line" in terminal.text
    assert "second" not in terminal.text


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
def test_api_unit_layout_fits_or_has_given_all(width: int) -> None:
    """Whatever the width: the table fits, or only columns that can give nothing are left."""
    rows = [
        ("1", "load-orders", "QUARANTINED", "DEPENDENCY", "2027-03-01 12:00:00 UTC", "1.5 s", "1", "w" * 30, "e" * 90)
    ]
    layout = layout_of(HEADINGS, rows, width)
    shown = [HEADINGS[column] for column in layout.columns]
    assert sorted([*shown, *layout.left_out]) == sorted(HEADINGS)
    if layout.width > width:
        assert shown == ["ID", "TASK", "STATUS", "SCHEDULED", "TOOK", "ERROR"]
    for heading, size, cell in zip(shown, layout.widths, (rows[0][column] for column in layout.columns), strict=True):
        assert size >= len(cell) or heading in ("TASK", "WORKER", "ERROR")


def test_api_unit_explain_writes_blocks_where_a_table_does_not_fit(
    fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each blocker by itself, with no word broken."""
    terminal = on_terminal(monkeypatch)
    blocker = {"code": "PAUSED", "message": "Task 'report' is paused.", "blocks": True, "since": "2027-03-01T12:00:00Z",
               "clears": "Resume it: `scheduler task resume report`.", "estimate": None}  # fmt: skip
    told = {"summary": "Run 7.", "blockers": [blocker], "runs": [], "story": []}
    fake_api.answer("GET", "/api/v1/task-runs/7/explain", told)
    assert main(["explain", "run", "7"]) == 0
    assert [line.strip() for line in terminal.text.splitlines()] == [
        "Answer  Run 7.",
        "PAUSED  Task 'report' is paused.",
        "What clears it: Resume it: `scheduler task resume report`.",
        "Since 2027-03-01 12:00:00 UTC.",
    ]
