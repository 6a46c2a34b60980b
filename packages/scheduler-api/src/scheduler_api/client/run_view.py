"""Runs as tables: what the columns of `run list` and the lines of `run show` say."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from scheduler_api.client.human_time import show_instant, show_time_between

RUN_HEADINGS = ("ID", "TASK", "STATUS", "TRIGGER", "SCHEDULED", "TOOK", "ATTEMPT", "WORKER", "ERROR")
_ERROR_CHARACTERS_MAX = 60


def run_row(run: Mapping[str, Any]) -> list[str]:
    """One run as a line of the list; the error is cut to a glance."""
    return [
        str(run["id"]),
        str(run.get("task_name") or run["task_id"]),
        str(run["status"]),
        str(run.get("trigger") or "-"),
        show_instant(run.get("scheduled_at")),
        _took(run),
        str(run.get("attempt", 0)),
        str(run.get("worker_id") or "-"),
        _glance(run.get("error")),
    ]


def run_fields(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """One run in full."""
    pairs = [
        ("Run", str(run["id"])),
        ("Task", f"{run.get('task_name')} (id {run['task_id']}, version {run.get('task_version')})"),
        ("Status", str(run["status"])),
        ("Trigger", str(run.get("trigger") or "-") + (f", retry of {run['retry_of']}" if run.get("retry_of") else "")),
        ("Flow", str(run.get("flow_id") or "-")),
        ("Scheduled", show_instant(run.get("scheduled_at"))),
        *_interval(run),
        ("Started", show_instant(run.get("started_at"))),
        ("Completed", show_instant(run.get("completed_at"))),
        ("Took", _took(run)),
        ("Attempt", _attempt(run)),
        ("Worker", str(run.get("worker_id") or "-")),
        ("Queue", f"{run.get('queue')}, priority {run.get('priority')}"),
    ]
    if run.get("waiting_on"):
        pairs.append(("Waits for", f"{run['waiting_on']} upstream runs"))
    if run.get("not_before"):
        pairs.append(("Not before", show_instant(run["not_before"])))
    if run.get("cancel_requested"):
        pairs.append(("Cancel", "requested"))
    if run.get("parameters"):
        pairs.append(("Parameters", json.dumps(run["parameters"], indent=2, ensure_ascii=False)))
    if run.get("result") is not None:
        pairs.append(("Result", json.dumps(run["result"], indent=2, ensure_ascii=False)))
    if run.get("error"):
        pairs.append(("Error", str(run["error"])))
    return pairs


def _interval(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The data interval of a run that belongs to a slot."""
    if run.get("interval_from") is None:
        return []
    return [("Covers", f"{show_instant(run['interval_from'])} until {show_instant(run.get('interval_to'))}")]


def _took(run: Mapping[str, Any]) -> str:
    if run.get("status") == "RUNNING" and run.get("started_at"):
        return show_time_between(run["started_at"], datetime.now(UTC).isoformat()) + " so far"
    return show_time_between(run.get("started_at"), run.get("completed_at"))


def _attempt(run: Mapping[str, Any]) -> str:
    text = str(run.get("attempt", 0))
    told = [
        f"{run[name]} {name}" + (f", {run['max_retries']} retries allowed" if name == "failures" else "")
        for name in ("failures", "losses")
        if run.get(name)
    ]
    return f"{text} ({', '.join(told)})" if told else text


def _glance(error: str | None) -> str:
    if not error:
        return "-"
    line = error.strip().splitlines()[0] if error.strip() else "-"
    return line if len(line) <= _ERROR_CHARACTERS_MAX else line[: _ERROR_CHARACTERS_MAX - 1] + "…"
