"""Flows and groups as tables, and what stands above the drawing of a flow."""

import json
from collections.abc import Mapping
from typing import Any

from scheduler_api.client.flow_words import counts_words, skip_words
from scheduler_api.client.human_time import show_instant, show_time_between
from scheduler_api.client.run_view import run_took

FLOW_HEADINGS = ("ID", "TASK", "STATUS", "TRIGGER", "SCHEDULED", "TOOK", "RUNS")
MEMBER_HEADINGS = ("INDEX", "RUN", "STATUS", "ITEM", "TOOK", "ATTEMPT", "WORKER", "ERROR")
_ITEM_CHARACTERS_MAX = 40


def flow_row(flow: Mapping[str, Any]) -> list[str]:
    """One flow as a line of the list."""
    return [
        str(flow["id"]),
        str(flow["task_name"]),
        str(flow["status"]),
        _trigger(flow),
        show_instant(flow["scheduled_at"]),
        _took(flow),
        counts_words(flow["by_status"]),
    ]


def flow_lines(view: Mapping[str, Any]) -> str:
    """What the flow is and how it stands, as a line or two."""
    flow = view["flow"]
    lines = [f"Flow {flow['id']} of {flow['task_name']}: {flow['status']}, {counts_words(flow['by_status'])}"]
    times = [f"{_trigger(flow)} for {show_instant(flow['scheduled_at'])}"]
    if flow.get("interval_from"):
        times.append(f"covers {show_instant(flow['interval_from'])} until {show_instant(flow['interval_to'])}")
    if flow.get("ended_at") and flow.get("started_at"):
        times.append(f"took {show_time_between(flow['started_at'], flow['ended_at'])}")
    return "\n".join([*lines, *times])


def member_row(run: Mapping[str, Any]) -> list[str]:
    """A run of a group as a line of the list; of a sub-flow's runs the item is the task."""
    index, item = run.get("shard_index"), run.get("item")
    shown = "-" if item is None else json.dumps(item, ensure_ascii=False)
    if index is None:
        shown = str(run["task_name"])
    error = skip_words(run.get("skip_reason")) or str(run.get("error") or "-")
    return [
        "-" if index is None else str(index),
        str(run["id"]),
        str(run["status"]),
        shown if len(shown) <= _ITEM_CHARACTERS_MAX else shown[: _ITEM_CHARACTERS_MAX - 1] + "…",
        run_took(run),
        str(run.get("attempt", 0)),
        str(run.get("worker_id") or "-"),
        error,
    ]


def _trigger(flow: Mapping[str, Any]) -> str:
    return str(flow["trigger"]) + (f" of run {flow['retry_of']}" if flow.get("retry_of") else "")


def _took(flow: Mapping[str, Any]) -> str:
    return show_time_between(flow.get("started_at"), flow.get("ended_at"))
