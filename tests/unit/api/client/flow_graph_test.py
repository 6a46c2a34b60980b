"""Flows drawn for the terminal."""

import re
from typing import Any

import pytest

from fixtures.flow_documents import flow_view
from scheduler_api.client.flow_graph import Look, draw_flow
from scheduler_api.client.text_width import text_width

FAN = {"start": (), **{f"part-{index}": ("start",) for index in range(1, 6)}}
FAN["end"] = tuple(FAN)[1:]
CHAIN = {f"step-{index:02d}": (f"step-{index - 1:02d}",) if index else () for index in range(20)}


def test_api_unit_diamond_is_drawn_as_one() -> None:
    """Two branches that part and join, with how each run stands."""
    view = flow_view({"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}, c={"status": "RUNNING"})
    assert draw_flow(view, Look(80), now="2026-11-24T06:01:00Z") == (
        "TASK   STATUS     RUN  TOOK          WORKER\n"
        "● a    COMPLETED  1    3 s           worker-1\n"
        "├─┐\n"
        "● │ b  COMPLETED  2    3 s           worker-1\n"
        "│ ◐ c  RUNNING    3    1 min so far  worker-1\n"
        "├─┘\n"
        "● d    COMPLETED  4    3 s           worker-1\n"
    )


def test_api_unit_fan_is_drawn_as_one() -> None:
    """One, five beside each other, one."""
    drawn = [line.split("  ")[0].rstrip() for line in draw_flow(flow_view(FAN), Look(80)).splitlines()]
    assert drawn == [
        "TASK",
        "● start",
        "├─┬─┬─┬─┐",
        "● │ │ │ │ part-1",
        "│ ● │ │ │ part-2",
        "│ │ ● │ │ part-3",
        "│ │ │ ● │ part-4",
        "│ │ │ │ ● part-5",
        "├─┴─┴─┴─┘",
        "● end",
    ]


def test_api_unit_chain_is_a_straight_line() -> None:
    """Twenty lines below each other in one lane."""
    drawn = draw_flow(flow_view(CHAIN), Look(80)).splitlines()[1:]
    assert [line[:9] for line in drawn] == [f"● step-{index:02d}" for index in range(20)]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_api_unit_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Long names are cut, long words of explanation go on below, between the lanes, and no word is broken."""
    changes: dict[str, dict[str, Any]] = {
        "part-2": {"status": "FAILED", "error": "the disk of the warehouse is full " * 4, "attempt": 3},
        "end": {"status": "SKIPPED", "skip_reason": "UPSTREAM_FAILED"},
    }
    view = flow_view(
        {**FAN, "a-name-that-is-longer-than-any-terminal-" * 4: ("part-2",), "日本語のとても長い名前" * 5: ("start",)},
        **changes,
    )
    text = draw_flow(view, Look(width))
    assert max(map(text_width, text.splitlines())) <= width
    words = re.findall(r"[a-z]+", text)
    for word in ("attempt", "warehouse", "upstream"):
        assert word in words
    assert "…" in text


def test_api_unit_skips_are_told_in_words() -> None:
    """Nobody has to know a code."""
    view = flow_view({"a": (), "b": ("a",)}, b={"status": "SKIPPED", "skip_reason": "WHEN_FALSE"})
    line = draw_flow(view, Look(80)).splitlines()[2]
    assert line.split() == ["⊘", "b", "SKIPPED", "2", "-", "-", "skipped:", "its", "condition", "was", "false"]


def test_api_unit_group_is_one_line_with_its_progress() -> None:
    """How many of its runs have ended, and how many of them not well."""
    counts = {"COMPLETED": 16, "FAILED": 1, "RUNNING": 2, "PENDING": 1}
    group = {"kind": "map", "size": 20, "by_status": counts, "max_parallel": 2, "tolerated_failures": 0}
    view = flow_view({"a": (), "m": ("a",)}, m={"status": "PENDING", "group": group})
    assert "map 17/20, 2 running, 1 failed" in draw_flow(view, Look(100))
    fresh = flow_view({"a": (), "m": ("a",)}, m={"status": "PENDING", "group": {**group, "size": None}})
    assert "map, its runs are not made yet" in draw_flow(fresh, Look(100))


def test_api_unit_sub_flow_stands_below_its_head() -> None:
    """Indented between the lanes that go on, with lanes of its own."""
    summary = {"kind": "sub_flow", "size": 3, "by_status": {"COMPLETED": 3}, "max_parallel": None}
    view = flow_view(
        {"a": (), "s": ("a",), "x": (), "y": ("x",), "z": ("x",), "b": ("a",), "end": ("s", "b")},
        s={"group": summary},
        **{name: {"group_id": 2} for name in "xyz"},
    )
    drawn = [re.split(r"  +(?=COMPLETED)", line)[0] for line in draw_flow(view, Look(80)).splitlines()[1:]]
    assert drawn == [
        "● a",
        "├─┐",
        "● │ s",
        "│ │   ● x",
        "│ │   ├─┐",
        "│ │   ● │ y",
        "│ │     ● z",
        "│ ● b",
        "├─┘",
        "● end",
    ]


def test_api_unit_ascii_drawing_has_nothing_else() -> None:
    """For terminals that show no more; the words stay as they are."""
    view = flow_view({**FAN, "x" * 300: ("start",)}, end={"status": "FAILED"})
    text = draw_flow(view, Look(80, unicode=False))
    assert text.isascii()
    assert "+-+-+-+-+" in text
    assert any(line.startswith("x ") and " end " in line for line in text.splitlines())


def test_api_unit_colours_change_nothing_but_colours() -> None:
    """Without its colour codes the drawing is the plain one; each status has the colour it has in tables."""
    view = flow_view(FAN, end={"status": "FAILED"})
    coloured = draw_flow(view, Look(80, colour=True))
    assert "\x1b[31mFAILED\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d*m", "", coloured) == draw_flow(view, Look(80))


def test_api_unit_drawing_too_wide_for_lanes_names_what_is_waited_for() -> None:
    """A list then, in an order in which things may happen."""
    many = {"a": (), **{f"b{index}": ("a",) for index in range(50)}}
    text = draw_flow(flow_view({**many, "z": tuple(many)[1:]}), Look(80))
    assert len(text.splitlines()) == 53
    assert text.count("after a\n") == 50
    assert "after b0, b1, b2 and 47 more" in text


def test_api_unit_edges_from_other_flows_are_told() -> None:
    """What was taken over, and what of an earlier slot is waited for."""
    outside: list[dict[str, Any]] = [
        {"upstream_run_id": 90, "run_id": 1, "kind": "given", "upstream_task_name": "raw", "upstream_status": "FAILED"},
        {
            "upstream_run_id": 91,
            "run_id": 1,
            "kind": "previous",
            "upstream_task_name": "a",
            "upstream_status": "RUNNING",
        },
    ]
    view = flow_view({"a": ()})
    view["edges"] += outside
    text = draw_flow(view, Look(200))
    assert "raw taken from run 90 (FAILED); behind run 91 of an earlier slot (RUNNING)" in text


def test_api_unit_names_cannot_command_the_terminal() -> None:
    """Control characters are made visible."""
    view = flow_view({"a\x1b[2J\n": ()}, **{"a\x1b[2J\n": {"status": "FAILED", "error": "\x1b]0;x\x07"}})
    assert "\x1b" not in draw_flow(view, Look(80))
