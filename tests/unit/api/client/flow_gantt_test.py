"""When the runs of a flow ran, as text and as a picture."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.flow_documents import flow_view
from scheduler_api.client.flow_gantt import gantt_svg, gantt_text
from scheduler_api.client.flow_graph import Look
from scheduler_api.client.text_width import text_width

SVG = "{http://www.w3.org/2000/svg}"
NOW = "2026-11-24T06:00:20Z"


def times(start: int | None, end: int | None) -> dict[str, Any]:
    """A run from one second of a minute to another."""
    return {
        "started_at": None if start is None else f"2026-11-24T06:00:{start:02d}Z",
        "completed_at": None if end is None else f"2026-11-24T06:00:{end:02d}Z",
    }


VIEW = flow_view(
    {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")},
    a=times(0, 10),
    b=times(10, 15),
    c={"status": "RUNNING", **times(10, None)},
    d={"status": "PENDING"},
)


def test_api_unit_gantt_bars_stand_where_their_runs_ran() -> None:
    """Half the time is half the room; what goes on reaches to the end; what has not run has no bar."""
    lines = gantt_text(VIEW, Look(80), now=NOW).splitlines()
    bars = [re.search(r"█+", line) for line in lines[1:]]
    room = len(lines[0]) - lines[0].index("  0") - 2
    spans = [
        None if bar is None else (bar.start() - lines[0].index("  0") - 2, bar.end() - bar.start()) for bar in bars
    ]
    assert spans[0] == (0, round(room / 2))
    assert spans[1] == (room // 2, round(room / 4))
    assert spans[2] == (room // 2, room - room // 2)
    assert spans[3] is None
    assert "10 s so far" in lines[3]
    assert lines[0].endswith("20 s")


@pytest.mark.parametrize("width", [60, 80, 140])
def test_api_unit_gantt_keeps_to_the_width(width: int) -> None:
    """Names give way."""
    view = flow_view({"日本語" * 40: (), "b": ()})
    assert max(map(text_width, gantt_text(view, Look(width), now=NOW).splitlines())) <= width
    assert gantt_text(flow_view({"x" * 300: ()}), Look(width, unicode=False), now=NOW).isascii()


def test_api_unit_gantt_of_a_flow_that_has_not_begun_has_no_bars() -> None:
    """Nothing is divided by nothing."""
    view = flow_view({"a": ()}, a={"status": "DISPATCHED"})
    assert "█" not in gantt_text(view, Look(80), now=NOW)
    assert '<rect class="dispatched"' not in gantt_svg(view, now=NOW)


def test_api_unit_gantt_group_spans_its_runs() -> None:
    """From the first start to now, as long as one of them goes on; a sub-flow's runs stand below, indented."""
    group = {"kind": "shards", "size": 2, "by_status": {"RUNNING": 2}, "started_at": "2026-11-24T06:00:10Z"}
    view = flow_view(
        {"a": (), "s": (), "x": ()}, a=times(0, 10), s={"status": "PENDING", "group": group}, x={"group_id": 2}
    )
    lines = gantt_text(view, Look(80), now=NOW).splitlines()
    assert "10 s so far" in lines[2]
    assert lines[2].rstrip().endswith("█")
    assert lines[3].startswith("  x ")
    assert '<rect class="running"' in gantt_svg(view, now=NOW)


def test_api_unit_gantt_picture_has_a_bar_and_words_for_each_run() -> None:
    """Valid XML with a title for the whole, a tooltip for each run and a class for each status."""
    root = ET.fromstring(gantt_svg(VIEW, now=NOW))  # noqa: S314 - our own drawing
    assert root.tag == f"{SVG}svg"
    assert root.findtext(f"{SVG}title") == "Flow 1 of a: COMPLETED"
    groups = root.findall(f"{SVG}g")
    assert [group.findtext(f"{SVG}title") for group in groups] == [
        "a (run 1): completed; 10 s",
        "b (run 2): completed; 5 s",
        "c (run 3): running; 10 s so far",
        "d (run 4): pending; -",
    ]
    bars = [group.find(f"{SVG}rect") for group in groups]
    assert [None if bar is None else bar.get("class") for bar in bars] == ["completed", "completed", "running", None]
    left, width = [float(bars[1].get(name, "nan")) for name in ("x", "width")] if bars[1] is not None else (0.0, 0.0)
    whole = float(bars[0].get("width", "nan")) * 2 if bars[0] is not None else 0.0
    assert (left - 220) / whole == pytest.approx(0.5, abs=0.01)
    assert width / whole == pytest.approx(0.25, abs=0.01)


def test_api_unit_gantt_picture_is_readable_on_dark_and_light() -> None:
    """Every class that is used has a colour in both."""
    text = gantt_svg(VIEW, now=NOW)
    style = text[text.index("<style>") : text.index("</style>")]
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    for name in set(re.findall(r'class="(\w+)"', text)) | {"failed", "timeout", "quarantined", "cancelled", "skipped"}:
        assert f".{name}" in light, name
        assert f".{name}" in dark, name


@given(st.text(min_size=1, max_size=40))
def test_api_unit_gantt_picture_is_valid_whatever_the_names(name: str) -> None:
    """Markup, quotes, control characters and what XML cannot hold."""
    view = flow_view({name: ()}, **{name: {"status": "FAILED", "error": name}})
    ET.fromstring(gantt_svg(view, now=NOW).encode("utf-8"))  # noqa: S314 - our own drawing
