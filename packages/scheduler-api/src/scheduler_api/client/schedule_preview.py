"""The next slots of a schedule, asked of the server and shown in its own zone, in UTC and in that of this machine."""

from collections.abc import Mapping
from typing import Any

from scheduler_api.client.client_error import ClientError, RefusedError
from scheduler_api.client.client_options import Session
from scheduler_api.client.human_time import parse_instant, show_duration, show_instant
from scheduler_core.runtime.exit_code import ExitCode


def preview_of_task(session: Session, task: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a stored task's schedule means; None for a task without one."""
    if task.get("schedule") is None:
        return None
    preview: dict[str, Any] = session.api.get("tasks", task["id"], "preview")
    return preview


def preview_if_possible(session: Session, task: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same after a task was stored: what cannot be previewed is told and is no failure of the command."""
    try:
        return preview_of_task(session, task)
    except ClientError as error:
        session.output.note(f"The next slots cannot be shown: {error}")
        return None


def dry_run_create(session: Session, body: Mapping[str, Any]) -> ExitCode:
    """Say what creating this task would do: its problems or its slots. Stores nothing."""
    try:
        applied = session.api.post("tasks", "apply", body={"tasks": [body], "dry_run": True})
    except RefusedError as error:
        raise _of_one_task(error) from error
    change = applied["items"][0]["change"]
    if change != "created":
        raise RefusedError(
            409, {"detail": f"There is a task '{body['name']}' already. Change it with update or apply."}
        )
    preview = None
    if body.get("schedule") is not None:
        asked = {name: body[name] for name in ("schedule", "timezone", "name", "namespace") if name in body}
        preview = session.api.post("schedules", "preview", body=asked)
    if session.output.is_json:
        session.output.json({"dry_run": True, "change": change, "preview": preview})
    elif preview is None:
        session.output.note(f"Task '{body['name']}' would be created. It has no schedule.")
    else:
        session.output.fields(preview_fields(preview))
        show_slots(session, preview)
        session.output.note(f"Task '{body['name']}' would be created.")
    return ExitCode.OK


def _of_one_task(error: RefusedError) -> RefusedError:
    """The same refusal, without the list that the task was sent in."""
    errors = [{"field": field.removeprefix("tasks.0."), "message": message} for field, message in error.errors]
    return RefusedError(error.status, {**error.problem, "errors": errors}) if errors else error


def preview_fields(preview: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Words and rules, as further lines about a task."""
    pairs = [("In words", str(preview.get("words") or "-"))]
    if rules := preview.get("rules"):
        pairs.append(("Clock changes", f"gap: {rules['on_gap']}, overlap: {rules['on_overlap']}"))
    return pairs


def show_slots(session: Session, preview: Mapping[str, Any]) -> None:
    """Write the slots as a table, after an empty line."""
    slots = preview.get("slots") or []
    if not slots:
        awaits = "after_end" in str(preview.get("schedule"))
        session.output.note("The end of the last run tells the next slot." if awaits else "No slot comes any more.")
        return
    session.output.raw("\n")
    headings = (f"NEXT ({preview.get('timezone')})", "UTC", "HERE", "NOTE")
    session.output.table(headings, [_row(slot) for slot in slots])


def _row(slot: Mapping[str, Any]) -> list[str]:
    scheduled_at = str(slot["scheduled_at"])
    notes = ["paused"] if slot.get("paused") else []
    if not_before := slot.get("not_before"):
        delay = (parse_instant(not_before) - parse_instant(scheduled_at)).total_seconds()
        notes.append(f"starts {show_duration(delay)} later")
    local = str(slot["local"]).replace("T", " ")
    utc = parse_instant(scheduled_at).strftime("%Y-%m-%d %H:%M:%S")
    return [local, utc, show_instant(scheduled_at), ", ".join(notes)]
