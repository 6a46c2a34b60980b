"""`scheduler explain …`: why a run, a task or a slot is not running, or why it ran then and there."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import App, Parameter

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.client_options import DEFAULT_OPTIONS, ClientOptions, Session, client_command
from scheduler_api.client.explain_view import BLOCKER_HEADINGS, STORY_HEADINGS, blocker_block, blocker_row, story_row
from scheduler_api.client.output import Output
from scheduler_api.client.task_name_completion import complete_task_names
from scheduler_api.client.time_range import parse_moment
from scheduler_core.errors import Problem
from scheduler_core.runtime.exit_code import ExitCode

app = App(name="explain", help="Tell why something runs or does not.")


@app.command(name="run")
@client_command
def explain_run(run_id: int, /, *, options: ClientOptions = DEFAULT_OPTIONS) -> int:
    """Tell everything that keeps a run from running, or why it ran then and there.

    Parameters
    ----------
    run_id
        Id of the run.
    """
    with options.session() as session:
        return _answer(session, session.api.get("task-runs", run_id, "explain"))


@app.command(name="task")
@client_command
def explain_task(
    task: Annotated[str, Parameter(completer=complete_task_names)],
    /,
    *,
    namespace: str | None = None,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Tell why a task makes no run now, and what keeps its newest runs from running.

    Parameters
    ----------
    task
        Name or id of the task.
    namespace
        Namespace of the task's name.
    """
    with options.session() as session:
        return _answer(session, session.api.get("tasks", task, "explain", namespace=namespace))


@app.command(name="slot")
@client_command
def explain_slot(
    task: Annotated[str, Parameter(completer=complete_task_names)],
    instant: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    namespace: str | None = None,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Tell what has become of a slot of a task's schedule: its run, the reason why there is none, or when it is due.

    Parameters
    ----------
    task
        Name or id of the task.
    instant
        When the slot is due: 2027-01-31, 2027-01-31T09:00:00Z, now, today or -2h.
    namespace
        Namespace of the task's name.
    """
    try:
        moment = parse_moment(instant, datetime.now(UTC))
    except ValueError as error:
        raise UsageError([Problem("INSTANT", str(error))]) from None
    with options.session() as session:
        return _answer(session, session.api.get("tasks", task, "explain", namespace=namespace, slot=moment.isoformat()))


def _answer(session: Session, explanation: dict[str, Any]) -> int:
    output = session.output
    if output.is_json:
        output.json(explanation)
        return ExitCode.OK
    output.fields([("Answer", explanation["summary"])])
    if explanation["blockers"]:
        _show_blockers(output, explanation["blockers"])
    for run in explanation["runs"]:
        output.fields([(f"Run {run['run_id']}", f"{run['status']}, blocked" if run["is_blocked"] else run["status"])])
        if run["blockers"]:
            _show_blockers(output, run["blockers"])
    if explanation["story"]:
        output.table(STORY_HEADINGS, [story_row(part) for part in explanation["story"]])
    return ExitCode.OK


def _show_blockers(output: Output, blockers: Sequence[Mapping[str, Any]]) -> None:
    """As a table, or, where a line of it does not fit, one below the other."""
    rows = [blocker_row(blocker) for blocker in blockers]
    if output.has_room(BLOCKER_HEADINGS, rows):
        output.table(BLOCKER_HEADINGS, rows)
    else:
        output.fields([blocker_block(row) for row in rows])
