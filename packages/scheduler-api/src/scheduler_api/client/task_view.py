"""Tasks as tables: what the columns of `task list` and the lines of `task show` say."""

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from scheduler_api.client.dispatch_words import task_dispatch_fields
from scheduler_api.client.human_time import parse_instant, show_duration, show_instant
from scheduler_api.client.task_flow_words import show_dependencies, task_flow_fields
from scheduler_api.client.task_time_words import time_fields

TASK_HEADINGS = ("ID", "NAME", "STATUS", "TYPE", "SCHEDULE", "NEXT RUN", "AFTER")


def task_row(task: Mapping[str, Any]) -> list[str]:
    """One task as a line of the list; the next run is told in the task's own zone."""
    return [
        str(task["id"]),
        str(task["name"]),
        str(task["status"]),
        str(task["task_type"]),
        show_schedule(task.get("schedule")),
        _next_run(task),
        show_dependencies(task.get("dependencies")),
    ]


def task_fields(task: Mapping[str, Any]) -> list[tuple[str, str]]:
    """One task in full: the definition first, then what became of it."""
    next_run = task.get("next_run_at")
    pairs = [
        ("Name", str(task["name"])),
        ("Id", f"{task['id']} (version {task['version']})"),
        ("Namespace", str(task["namespace"])),
        ("Status", str(task["status"])),
        ("Description", str(task.get("description") or "-")),
        ("Type", str(task["task_type"])),
        ("Parameters", json.dumps(task.get("parameters") or {}, indent=2, ensure_ascii=False)),
        *_schema(task),
        ("Schedule", show_schedule(task.get("schedule"), in_full=True)),
        ("Next run", _next_run(task)),
    ]
    if next_run is not None and _zone_name(task) != "UTC":
        pairs.append(("", show_instant(next_run, UTC)))
    pairs += [
        ("After", show_dependencies(task.get("dependencies"), in_full=True)),
        *task_flow_fields(task),
        ("Queue", f"{task['queue']}, priority {task['priority']}"),
        *time_fields(task),
        *task_dispatch_fields(task),
        ("Late slots", _late_slots(task)),
        ("Overlap", str(task.get("overlap") or "allow")),
        ("Created", show_instant(task.get("created_at"))),
        ("Changed", show_instant(task.get("updated_at"))),
    ]
    return pairs


def show_schedule(schedule: Mapping[str, Any] | str | None, *, in_full: bool = False) -> str:
    """A schedule in one line, with its zone; its pause windows only in full.

    >>> show_schedule({"cron": "0 9 * * *", "timezone": "Europe/Istanbul"}), show_schedule(None)
    ('0 9 * * * (Europe/Istanbul)', '-')
    >>> show_schedule({"every": "15m", "timezone": "UTC", "jitter": "30s"})
    'every 15m, jitter 30s'
    """
    if schedule is None:
        return "-"
    if isinstance(schedule, str):
        return schedule
    further = [f"{name} {schedule[name]}" for name in _FURTHER if schedule.get(name)]
    if pauses := schedule.get("pauses"):
        further.append(f"pauses {'; '.join(map(_show_pause, pauses)) if in_full else len(pauses)}")
    return _show_rule(schedule) + (f", {', '.join(further)}" if further else "")


def _show_pause(window: Mapping[str, Any]) -> str:
    if window.get("cron") is not None:
        return f"'{window['cron']}' for {window.get('lasts')}"
    return f"{window.get('from')} to {window.get('until')}"


_FURTHER = ("on_gap", "on_overlap", "valid_from", "valid_until", "jitter")


def _show_rule(schedule: Mapping[str, Any]) -> str:
    if at := schedule.get("at"):
        # Without an offset it is in the schedule's zone already.
        instant = parse_instant(at, _zone(schedule))
        return f"once at {show_instant(instant.isoformat(), _zone(schedule))}"
    if isinstance(rules := schedule.get("any"), list):
        return " | ".join(_show_rule(rule) for rule in rules)
    for name in ("every", "after_end"):
        if (length := schedule.get(name)) is not None:
            return f"{name} {length}"
    return f"{schedule.get('cron') or schedule.get('rrule')} ({schedule.get('timezone') or 'UTC'})"


def _next_run(task: Mapping[str, Any]) -> str:
    schedule = task.get("schedule")
    return show_instant(task.get("next_run_at"), _zone(schedule if isinstance(schedule, Mapping) else {}))


def _zone_name(task: Mapping[str, Any]) -> str:
    schedule = task.get("schedule")
    return str(schedule.get("timezone") or "UTC") if isinstance(schedule, Mapping) else "UTC"


def _zone(schedule: Mapping[str, Any]) -> Any:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(str(schedule.get("timezone") or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        # The server knows a zone that this machine does not: UTC is right, only less familiar.
        return ZoneInfo("UTC")


def _late_slots(task: Mapping[str, Any]) -> str:
    misfire = str(task.get("misfire") or "latest")
    if misfire == "all":
        misfire += f", at most {task.get('misfire_runs_max')}"
    grace = task.get("misfire_grace_seconds")
    return misfire + ("" if grace is None else f", up to {show_duration(float(grace))} late")


def _schema(task: Mapping[str, Any]) -> list[tuple[str, str]]:
    schema = task.get("parameters_schema")
    return [] if schema is None else [("Schema", json.dumps(schema, indent=2, ensure_ascii=False))]
