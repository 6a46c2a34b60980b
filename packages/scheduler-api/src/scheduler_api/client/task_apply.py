"""Sends task files to the server as one request, and says per task and limit what came of it."""

from collections.abc import Sequence
from typing import Any

from scheduler_api.client.client_error import RefusedError
from scheduler_api.client.client_options import Session
from scheduler_api.client.task_file import FileContent, FileTask, place_problems, read_files
from scheduler_core.runtime.exit_code import ExitCode

_HEADINGS = ("TASK", "CHANGE", "FILE")
_LIMIT_HEADINGS = ("LIMIT", "CHANGE", "FILE")


def apply_files(session: Session, files: Sequence[str], *, dry_run: bool) -> ExitCode:
    """Apply all tasks and limits of all files in one request: all of them or, with every problem named, none."""
    content = read_files(files)
    body: dict[str, Any] = {"tasks": [task.definition for task in content.tasks], "dry_run": dry_run}
    if content.limits:
        body["limits"] = [limit.definition for limit in content.limits]
    try:
        answer = session.api.post("tasks", "apply", body=body, idempotent=not dry_run)
    except RefusedError as error:
        raise _placed(error, content) from error
    if session.output.is_json:
        session.output.json(answer)
        return ExitCode.OK
    limits = _changes(answer.get("limits"), content.limits)
    changes = _changes(answer.get("items"), content.tasks)
    if limits:
        session.output.table(_LIMIT_HEADINGS, limits)
    if limits and changes:
        session.output.raw("\n")
    if changes:
        session.output.table(_HEADINGS, changes)
    changes = [*limits, *changes]
    counts = {change: sum(row[1] == change for row in changes) for change in ("created", "updated", "unchanged")}
    told = ", ".join(f"{count} {change}" for change, count in counts.items())
    session.output.note(f"{'Would be: ' if dry_run else ''}{told}.")
    return ExitCode.OK


def _changes(answered: Any, tasks: Sequence[FileTask]) -> list[list[str]]:
    items = answered or []
    rows = []
    for index, task in enumerate(tasks):
        item = items[index] if index < len(items) else {}
        change = item.get("change") or item.get("outcome") or item.get("action") or "?"
        rows.append([str(task.definition.get("name")), str(change), task.file])
    return rows


def _placed(error: RefusedError, content: FileContent) -> RefusedError:
    """The same refusal, whose problems name file and task, or limit."""
    listed = error.errors
    if not listed:
        return error
    placed = place_problems(listed, content.tasks, content.limits)
    count = "1 problem" if len(placed) == 1 else f"{len(placed)} problems"
    return RefusedError(
        error.status,
        {
            **error.problem,
            "detail": f"Nothing was applied: {count} in the {'tasks and limits' if content.limits else 'tasks'}.",
            "errors": [{"field": field, "message": message} for field, message in placed],
        },
    )
