"""What creating or changing a limit would do. Nothing is stored."""

from collections.abc import Mapping
from typing import Any

from scheduler_api.client.client_error import RefusedError
from scheduler_api.client.client_options import Session
from scheduler_core.runtime.exit_code import ExitCode

_FIELDS = ("name", "namespace", "description", "key", "concurrent", "rate", "rate_seconds", "burst")
_WITH_RATE = ("rate", "rate_seconds", "burst")


def dry_run_create(session: Session, body: Mapping[str, Any]) -> ExitCode:
    """Say that the limit would be created; raises RefusedError when it would not."""
    change = _change(session, body)
    if change != "created":
        raise RefusedError(
            409, {"detail": f"There is a limit '{body['name']}' already. Change it with update or apply."}
        )
    return _tell(session, change, f"Limit '{body['name']}' would be created.")


def dry_run_update(session: Session, limit: str, namespace: str | None, changes: Mapping[str, Any]) -> ExitCode:
    """Say whether the changes would change anything; raises RefusedError with what is wrong with them."""
    body = _changed(session.api.get("limits", limit, namespace=namespace), changes)
    change = _change(session, body)
    told = "stay as it is" if change == "unchanged" else "be changed"
    return _tell(session, change, f"Limit '{body['name']}' would {told}.")


def _changed(limit: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The whole definition, as the server would make it of the limit that is there and the changes."""
    body = {name: limit[name] for name in _FIELDS}
    if changes.get("rate", "") is None:
        gone: tuple[str, ...] = _WITH_RATE
    elif "rate" in changes:  # text, which says its time itself
        gone = ("rate_seconds",)
    else:
        gone = ()
    return {**{name: value for name, value in body.items() if name not in gone}, **changes}


def _change(session: Session, body: Mapping[str, Any]) -> str:
    """What applying a list of this limit alone would come to; problems lose their place in that list."""
    try:
        applied = session.api.post("tasks", "apply", body={"tasks": [], "limits": [body], "dry_run": True})
    except RefusedError as error:
        errors = [{"field": field.removeprefix("limits.0."), "message": message} for field, message in error.errors]
        raise RefusedError(error.status, {**error.problem, "errors": errors}) if errors else error from error
    return str(applied["limits"][0]["change"])


def _tell(session: Session, change: str, sentence: str) -> ExitCode:
    if session.output.is_json:
        session.output.json({"dry_run": True, "change": change})
    else:
        session.output.note(sentence)
    return ExitCode.OK
