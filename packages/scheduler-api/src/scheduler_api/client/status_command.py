"""`scheduler status`: the whole system at a glance."""

from collections.abc import Mapping
from typing import Any

from cyclopts import App

from scheduler_api.client.client_options import DEFAULT_OPTIONS, ClientOptions, client_command
from scheduler_api.client.human_time import show_duration, show_instant
from scheduler_core.runtime.exit_code import ExitCode

app = App(name="status", help="Say how the whole system is doing.")


@app.default
@client_command
def show_status(*, options: ClientOptions = DEFAULT_OPTIONS) -> int:
    """Say how the whole system is doing: its health, tasks, runs and workers.

    Exit codes: 0 ready, 1 some part is not ready, 6 the server does not answer.
    """
    with options.session() as session:
        health = session.api.request("GET", "/health/ready", accept_statuses=(503,)) or {}
        ready = _is_ready(health)
        statistics = session.api.get("system", "stats") if ready else None
        if session.output.is_json:
            session.output.json({"server": session.api.server, "ready": ready, "health": health, "stats": statistics})
        else:
            session.output.fields(
                [
                    ("Server", session.api.server),
                    ("Ready", "yes" if ready else "no"),
                    *_health_lines(health),
                    *_statistics_lines(statistics or {}),
                ]
            )
            if statistics is not None and statistics.get("workers_alive") == 0:
                session.output.note("No worker is alive, so nothing runs. Start one with `scheduler-worker`.")
        return ExitCode.OK if ready else ExitCode.FAILURE


def _is_ready(health: Mapping[str, Any]) -> bool:
    return str(health.get("status")).lower() in ("ok", "ready", "healthy", "pass", "up", "degraded")


def _health_lines(health: Mapping[str, Any]) -> list[tuple[str, str]]:
    parts = health.get("parts") or health.get("checks") or health.get("components") or {}
    lines = []
    for name, part in parts.items() if isinstance(parts, Mapping) else []:
        told = part
        if isinstance(part, Mapping):
            status = part.get("status", "ok" if part.get("ok") else "not ready")
            detail = part.get("detail") or part.get("error") or part.get("message")
            told = f"{status}: {detail}" if detail else status
        lines.append((f"  {name}", str(told)))
    return lines


def _statistics_lines(statistics: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not statistics:
        return []
    lines = [
        ("Time", show_instant(statistics.get("now"))),
        ("Tasks", _counts(statistics.get("tasks_by_status"))),
        ("Runs now", _counts(statistics.get("runs_active_by_status"))),
        ("Last hour", _counts(statistics.get("runs_finished_last_hour_by_status"))),
        (
            "Workers",
            (
                f"{statistics.get('workers_alive')} alive, {statistics.get('places_taken')} of "
                f"{statistics.get('places_total')} places taken"
            ),
        ),
    ]
    for name, key in (("Oldest claimable", "oldest_dispatched_seconds"), ("Oldest due", "oldest_due_schedule_seconds")):
        if seconds := statistics.get(key):
            lines.append((name, f"for {show_duration(float(seconds))}"))
    return lines


def _counts(by_status: Mapping[str, int] | None) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted((by_status or {}).items()) if count) or "none"
