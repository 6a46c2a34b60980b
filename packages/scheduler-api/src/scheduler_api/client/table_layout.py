"""Which columns of a table a terminal has room for, and how wide each of them is."""

from collections.abc import Sequence
from typing import NamedTuple

from scheduler_api.client.text_width import text_width

GAP = 2
FOLDED = frozenset(
    ("TASK", "NAME", "ERROR", "WHY", "WHAT CLEARS IT", "WHAT HAPPENED", "RUNS", "QUEUES", "TYPES", "TAGS",
     "RESOURCES", "SCHEDULE", "AFTER", "FINDING", "NOTE", "FILE", "CHANGE", "KEY", "TASKS", "HELD BY")
)  # fmt: skip
"""Texts: they may go on in the next line. All others are never broken."""
CUT = frozenset(("WORKER", "HOST", "ITEM", "VERSION", "ZONE DATA"))
"""What may be cut at its end."""
_NAMES = ("TASK", "NAME")
_LEFT_OUT_FIRST = (
    "VERSION", "ZONE DATA", "RESOURCES", "TRIGGER", "ATTEMPT", "HOST", "PID", "NAMESPACE", "TYPES", "TAGS", "AFTER",
    "WORKER", "BURST",
)  # fmt: skip
_FOLDED_LEAST = 12
_CUT_LEAST = 8


class Layout(NamedTuple):
    """The columns that are shown, by their places, how wide each is, and the headings that there is no room for."""

    columns: list[int]
    widths: list[int]
    left_out: list[str]

    @property
    def width(self) -> int:
        """How wide the whole is; more than was there where nothing can give way."""
        return sum(self.widths) + GAP * (len(self.widths) - 1)


def layout_of(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Layout:
    """Fit a table into a width: columns without any value are dropped, texts fold, and the least needed is left out.

    >>> layout_of(("ID", "WORKER", "ERROR"), [("1", "-", "no such file or directory")], 20)
    Layout(columns=[0, 2], widths=[2, 16], left_out=[])
    """
    columns = [place for place in range(len(headings)) if place == 0 or not rows or _has_value(rows, place)]
    natural = {
        place: max(
            text_width(line) for text in (headings[place], *(row[place] for row in rows)) for line in _lines(text)
        )
        for place in columns
    }
    left_out: list[str] = []

    def least(place: int) -> int:
        heading = headings[place]
        if heading not in FOLDED and heading not in CUT:
            return natural[place]
        return min(natural[place], max(len(heading), _FOLDED_LEAST if heading in FOLDED else _CUT_LEAST))

    def excess(widths: Sequence[int]) -> int:
        return sum(widths) + GAP * (len(widths) - 1) - width

    for heading in _LEFT_OUT_FIRST:
        if excess([least(place) for place in columns]) <= 0:
            break
        left_out += [heading for place in columns[1:] if headings[place] == heading]
        columns = [place for place in columns if place == columns[0] or headings[place] != heading]
    widths = {place: natural[place] for place in columns}
    for _ in range(max(0, excess(list(widths.values())))):
        giving = [place for place in columns if widths[place] > least(place)]
        if not giving:
            break
        # Names are single words: what can fold between words gives way first.
        widths[max(giving, key=lambda place: (headings[place] not in _NAMES, widths[place]))] -= 1
    return Layout(columns, [widths[place] for place in columns], left_out)


def _has_value(rows: Sequence[Sequence[str]], place: int) -> bool:
    return any(row[place] != "-" for row in rows)


def _lines(text: str) -> list[str]:
    return text.splitlines() or [""]
