"""`scheduler run …`: runs, what they print, and how they end."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter

from scheduler_api.client.client_error import ClientError, RefusedError, UsageError
from scheduler_api.client.client_options import DEFAULT_OPTIONS, ClientOptions, Session, client_command
from scheduler_api.client.listing import fetch_list, note_rest
from scheduler_api.client.log_reading import follow_log, read_log
from scheduler_api.client.log_view import log_text
from scheduler_api.client.output import Output
from scheduler_api.client.run_progress import progress_words
from scheduler_api.client.run_view import RUN_HEADINGS, run_fields, run_row, run_table, tell_errors
from scheduler_api.client.run_waiting import exit_code_of, is_final, wait_for_runs
from scheduler_api.client.task_name_completion import complete_task_names
from scheduler_api.client.waiting_notes import note_paused
from scheduler_core.runtime.exit_code import ExitCode

_DEPENDENTS_SHOWN = 5

app = App(name="run", help="Look at runs, follow, cancel, pause and retry them.")


@app.command(name="list", alias="ls")
@client_command
def list_runs(
    *,
    task: Annotated[str | None, Parameter(completer=complete_task_names)] = None,
    status: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    stale: Annotated[bool, Parameter(negative=())] = False,
    namespace: str | None = None,
    limit: int = 50,
    every: Annotated[bool, Parameter(name=["--all", "-a"], negative=())] = False,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """List runs, newest first.

    Parameters
    ----------
    task
        Only runs of this task (name or id).
    status
        Only runs in this status, such as RUNNING or FAILED. Can be repeated.
    stale
        Only runs that had waited for an interval which has been run again since.
    namespace
        Only runs of this namespace.
    limit
        How many to show.
    every
        Show all of them, page after page.
    """
    with options.session() as session:
        path: tuple[str, ...] = ("task-runs",)
        only: dict[str, str | None] = {}
        if stale:
            only = {"stale": "true", "task": task}
        elif task is not None:
            path = ("tasks", task, "runs")
        statuses = [text.upper() for text in status] or None
        page = fetch_list(session, *path, limit=limit, every=every, status=statuses, namespace=namespace, **only)
        if session.output.is_json:
            session.output.json(page)
            return ExitCode.OK
        if not page["items"] and stale:
            session.output.note("No run is stale: nothing that one had waited for was run again since.")
            return ExitCode.OK
        if not page["items"]:
            what = f" in status {' or '.join(statuses)}" if statuses else ""
            start = f"scheduler task trigger {task}" if task else "scheduler task trigger NAME"
            session.output.note(f"No runs{what} yet. Start one with `{start}`.")
            return ExitCode.OK
        session.output.table(*run_table(page["items"]))
        if stale:
            session.output.note("Run them again with `scheduler run retry ID`.")
        note_rest(session, page)
        return ExitCode.OK


@app.command(name="show")
@client_command
def show_run(run: int, /, *, options: ClientOptions = DEFAULT_OPTIONS) -> int:
    """Show one run in full: where it stands, its result or its error.

    Parameters
    ----------
    run
        Id of the run.
    """
    with options.session() as session:
        found = session.api.get("task-runs", run)
        if session.output.is_json:
            session.output.json(found)
        else:
            session.output.fields(run_fields(found))
            if found.get("group_size") is None:
                session.output.note(f"Its output: `scheduler run logs {run}`")
        return ExitCode.OK


@app.command(name="group")
@client_command
def show_group(
    run: int,
    /,
    *,
    limit: int = 50,
    every: Annotated[bool, Parameter(name=["--all", "-a"], negative=())] = False,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Show the runs that a run stands for: its shards, mapped items, copies on workers, or its sub-flow.

    Parameters
    ----------
    run
        Id of the run that stands for the others.
    limit
        How many to show.
    every
        Show all of them, page after page.
    """
    from scheduler_api.client.flow_view import MEMBER_HEADINGS, member_row
    from scheduler_api.client.flow_words import group_words

    with options.session() as session:
        group = fetch_list(session, "task-runs", run, "group", limit=limit, every=every)
        if session.output.is_json:
            session.output.json(group)
            return ExitCode.OK
        head = group["head"]
        told = group_words(group["group"], head["status"])
        session.output.table(MEMBER_HEADINGS, [member_row(member) for member in group["items"]])
        session.output.note(f"Run {run} of {head['task_name']} is {head['status']}: {told}.")
        note_rest(session, group)
        return ExitCode.OK


@app.command(name="logs")
@client_command
def run_logs(
    run: int,
    /,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative=())] = False,
    tail: Annotated[int | None, Parameter(name=["--tail", "-n"])] = None,
    from_line: int | None = None,
    lines: int | None = None,
    search: str | None = None,
    pattern: str | None = None,
    stream: str | None = None,
    attempt: int | None = None,
    since: str | None = None,
    timestamps: Annotated[bool, Parameter(name=["--timestamps", "-t"], negative=())] = False,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Write what a run printed to stdout; with -o json one JSON object a line.

    Parameters
    ----------
    run
        Id of the run.
    follow
        Go on until the run is final.
    tail
        Only the last so many lines; with --follow of what was printed before.
    from_line
        Only lines from this number on, of the last attempt unless --attempt names another.
    lines
        How many lines from --from-line on, 1000 unless given.
    search
        Only lines that contain this text, with their numbers.
    pattern
        Only lines that this regular expression (of PostgreSQL) fits, with their numbers.
    stream
        Only stdout, stderr or log.
    attempt
        Only this attempt.
    since
        Only lines from this instant on, such as 2027-01-31T09:00:00Z.
    timestamps
        Begin each line with the time at which it came.
    """
    only: dict[str, Any] = {"stream": stream, "attempt": attempt, "since": since}
    part = {"from_line": from_line, "lines": lines, "search": search, "pattern": pattern}
    if follow and (unfit := [name for name, value in part.items() if value is not None]):
        raise UsageError(f"--{unfit[0].replace('_', '-')} is for what was printed already; leave --follow out.")
    with options.session() as session:
        output = session.output
        printed = False
        entries: Iterable[dict[str, Any] | None]
        if follow:
            entries = follow_log(session.api, run, tail=tail, tell=_ProgressTeller(output).tell, **only)
        else:
            entries = read_log(session.api, run, tail=tail, **part, **only)
        for entry in entries:
            if entry is None:
                output.flush()
                continue
            printed = True
            if output.is_json:
                output.json_line(entry)
            else:
                output.raw(log_text(entry, timestamps=timestamps))
        if not printed:
            _note_nothing_printed(
                session, run, is_part=any(value is not None for value in (*part.values(), *only.values()))
            )
        return ExitCode.OK


def _note_nothing_printed(session: Session, run: int, *, is_part: bool) -> None:
    status = session.api.get("task-runs", run)["status"]
    if is_part:
        session.output.note(f"Run {run} is {status} and has printed nothing such. See all of it without these options.")
    elif is_final(status):
        hint = f"See how it ended with `scheduler run show {run}`."
        session.output.note(f"Run {run} is {status} and has printed nothing. {hint}")
    else:
        hint = f"See it as it comes with `scheduler run logs {run} --follow`."
        session.output.note(f"Run {run} is {status} and has printed nothing. {hint}")


class _ProgressTeller:
    """Says on a terminal, beside what a run prints, how far it is; each thing once."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._told = ""

    def tell(self, run: Mapping[str, Any]) -> None:
        words = progress_words(run.get("progress"))
        if words and words != self._told and self._output.is_watched:
            self._output.note(f"Run {run['id']}: {words}")
            self._told = words


@app.command(name="cancel")
@client_command
def cancel_runs(*runs: Annotated[int, Parameter(negative=())], options: ClientOptions = DEFAULT_OPTIONS) -> int:
    """Cancel runs: at once when they wait, else by stopping what they started.

    Parameters
    ----------
    runs
        Ids of the runs.
    """
    return _act_on(runs, "cancel", options)


@app.command(name="pause")
@client_command
def pause_runs(*runs: Annotated[int, Parameter(negative=())], options: ClientOptions = DEFAULT_OPTIONS) -> int:
    """Let running runs stand still: what they started is stopped, their time-outs wait, their places stay taken.

    Parameters
    ----------
    runs
        Ids of the runs.
    """
    return _act_on(runs, "pause", options)


@app.command(name="resume")
@client_command
def resume_runs(*runs: Annotated[int, Parameter(negative=())], options: ClientOptions = DEFAULT_OPTIONS) -> int:
    """Let paused runs go on.

    Parameters
    ----------
    runs
        Ids of the runs.
    """
    return _act_on(runs, "resume", options)


@app.command(name="retry")
@client_command
def retry_runs(*runs: Annotated[int, Parameter(negative=())], options: ClientOptions = DEFAULT_OPTIONS) -> int:
    """Run final runs again: each as a new run with the same parameters.

    Parameters
    ----------
    runs
        Ids of the runs.
    """
    return _act_on(runs, "retry", options)


@app.command(name="wait")
@client_command
def wait_runs(
    *runs: Annotated[int, Parameter(negative=())],
    timeout: float | None = None,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Wait until runs are final.

    Exit codes: 0 all completed, 10 one failed or was quarantined, 12 one timed out, 11 one was cancelled or skipped,
    6 not final in time.

    Parameters
    ----------
    runs
        Ids of the runs.
    timeout
        Give up after so many seconds.
    """
    _need(runs)
    check_wait_timeout(timeout)
    with options.session() as session:
        ended = wait_for_runs(session.api, session.output, runs, timeout_seconds=timeout)
        if session.output.is_json:
            session.output.json({"items": ended, "next_cursor": None})
        else:
            session.output.table(RUN_HEADINGS, [run_row(run) for run in ended])
            tell_errors(session.output, ended)
        return exit_code_of(run["status"] for run in ended)


def check_wait_timeout(timeout: float | None) -> None:
    """Refuse a time to wait that is no number of seconds."""
    if timeout is not None and not 0 <= timeout < float("inf"):
        raise UsageError(f"--timeout must be a number of seconds, at least 0, not {timeout:g}.")


def _act_on(runs: tuple[int, ...], action: str, options: ClientOptions) -> int:
    """Do it to each, also to those after one that refuses it; what was done comes before what was not."""
    _need(runs)
    with options.session() as session:
        changed, errors = _changed(session, runs, action)
        if len(runs) == 1 and errors:
            raise errors[0]
        if session.output.is_json:
            session.output.json(changed[0] if len(runs) == 1 else {"items": changed, "next_cursor": None})
        elif changed:
            session.output.table(RUN_HEADINGS, [run_row(run) for run in changed])
            _note_what_follows(session, changed, action)
        for error in errors:
            session.output.error(error)
        return errors[0].exit_code if errors else ExitCode.OK


def _changed(session: Session, runs: Sequence[int], action: str) -> tuple[list[dict[str, Any]], list[ClientError]]:
    changed: list[dict[str, Any]] = []
    errors: list[ClientError] = []
    for run in runs:
        try:
            changed.append(session.api.post("task-runs", run, action, idempotent=True))
        except RefusedError as error:
            errors.append(error)
        except ClientError as error:
            # No server answers any more, so the others are not even asked for.
            return changed, [*errors, error]
    return changed, errors


def _note_what_follows(session: Session, changed: Sequence[Mapping[str, Any]], action: str) -> None:
    stopping = [run for run in changed if run.get("cancel_requested") and not is_final(run["status"])]
    if stopping:
        ids = " ".join(str(run["id"]) for run in stopping)
        what = "Their runs are" if all(run.get("group_size") is not None for run in stopping) else "They are"
        session.output.note(f"{what} being stopped; see the end with `scheduler run wait {ids}`.")
    if action == "pause":
        ids = " ".join(str(run["id"]) for run in changed)
        session.output.note(
            "They stand still as soon as their workers have stopped them; what cannot says so in its output. Let "
            f"them go on with `scheduler run resume {ids}`."
        )
    if action == "retry":
        note_paused(session.api, session.output, changed[0]["id"], changed[0]["status"])
        _note_dependents(session, changed)


def _note_dependents(session: Session, retried: Sequence[Mapping[str, Any]]) -> None:
    """Say which runs are made of what is run again: only those of a slot have such."""
    for run in retried:
        if run.get("interval_from") is None:
            continue
        items = session.api.get("task-runs", run["id"], "dependents")["items"]
        if items:
            told = ", ".join(f"{item['id']} of {item['task_name']}" for item in items[:_DEPENDENTS_SHOWN])
            more = f" and {len(items) - _DEPENDENTS_SHOWN} more" if len(items) > _DEPENDENTS_SHOWN else ""
            session.output.note(
                f"Runs that had waited for it are stale once run {run['id']} has completed: {told}{more}. "
                "See them with `scheduler run list --stale`, and run them again with `scheduler run retry ID`."
            )


def _need(runs: tuple[int, ...]) -> None:
    if not runs:
        raise UsageError("Name at least one run by its id; `scheduler run list` shows them.")
