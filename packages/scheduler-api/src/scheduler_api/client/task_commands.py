"""`scheduler task …`: definitions, from a flag or a file to the server, and their triggers."""

from typing import Annotated, Any

from cyclopts import App, Parameter

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.client_options import DEFAULT_OPTIONS, ClientOptions, Session, client_command
from scheduler_api.client.dispatch_flags import DispatchRemovals
from scheduler_api.client.file_names import check_file_names
from scheduler_api.client.flow_flags import WITHOUT_GROUP
from scheduler_api.client.listing import fetch_list, note_rest
from scheduler_api.client.run_commands import check_wait_timeout
from scheduler_api.client.run_view import RUN_HEADINGS, run_row, tell_errors
from scheduler_api.client.run_waiting import exit_code_of, wait_for_runs
from scheduler_api.client.schedule_preview import (
    dry_run_create,
    preview_fields,
    preview_if_possible,
    preview_of_task,
    show_slots,
)
from scheduler_api.client.task_flow_words import show_dependencies
from scheduler_api.client.task_input import TaskFlags, parse_parameters
from scheduler_api.client.task_name_completion import complete_task_names
from scheduler_api.client.task_view import TASK_HEADINGS, task_fields, task_row
from scheduler_api.client.waiting_notes import note_paused
from scheduler_core.runtime.exit_code import ExitCode

app = App(name="task", help="Define, change, trigger and look at tasks.")

TaskName = Annotated[str, Parameter(completer=complete_task_names)]
_NO_FLAGS = TaskFlags()
_NO_REMOVALS = DispatchRemovals()


@app.command(name="create")
@client_command
def create_task(
    name: str,
    /,
    *argv: Annotated[str, Parameter(negative=())],
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    flags: TaskFlags = _NO_FLAGS,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Define a task, and show when it will run.

    A program to run may follow the name: `scheduler task create backup --schedule "0 3 * * *" -- rsync -a src dst`.

    Parameters
    ----------
    name
        Name of the task: unique in its namespace, not all digits.
    argv
        A program and its arguments; implies --type shell, without a shell in between.
    dry_run
        Only say what is wrong with it, or when it would run.
    """
    body = {"name": name, **flags.fields(argv)}
    if "task_type" not in body:
        raise UsageError(
            "What shall the task run? Give --command, --url, --callable, --sub-flow, --type with --params, or a "
            "program after `--`."
        )
    with options.session() as session:
        if dry_run:
            return dry_run_create(session, body)
        task = session.api.post("tasks", body=body, idempotent=True)
        _show_task_and_slots(session, task)
        if task.get("next_run_at") is None:
            after = (
                f"runs after {show_dependencies(task['dependencies'])}" if task["dependencies"] else "has no schedule"
            )
            session.output.note(f"It {after}. Run it now with `scheduler task trigger {task['name']}`.")
        return ExitCode.OK


@app.command(name="list", alias="ls")
@client_command
def list_tasks(
    *,
    status: str | None = None,
    namespace: str | None = None,
    limit: int = 50,
    every: Annotated[bool, Parameter(name=["--all", "-a"], negative=())] = False,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """List tasks.

    Parameters
    ----------
    status
        Only tasks in this status: ACTIVE, PAUSED or INACTIVE (deleted).
    namespace
        Only tasks of this namespace.
    limit
        How many to show.
    every
        Show all of them, page after page.
    """
    with options.session() as session:
        wanted = status.upper() if status else None
        page = fetch_list(session, "tasks", limit=limit, every=every, status=wanted, namespace=namespace)
        if session.output.is_json:
            session.output.json(page)
            return ExitCode.OK
        if not page["items"]:
            session.output.note(
                "No task is like that. See all with `scheduler task list`."
                if status or namespace
                else "No tasks yet. Define one with `scheduler task create hello --command 'echo hello'`, "
                "or several with `scheduler task apply FILE`."
            )
            return ExitCode.OK
        session.output.table(TASK_HEADINGS, [task_row(task) for task in page["items"]])
        note_rest(session, page)
        return ExitCode.OK


@app.command(name="show")
@client_command
def show_task(
    task: TaskName,
    /,
    *,
    namespace: str | None = None,
    preview: Annotated[bool, Parameter(negative=())] = False,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Show a task's definition, its state and its next slots.

    Parameters
    ----------
    task
        Name or id of the task.
    namespace
        Namespace of the name.
    preview
        With -o json: add what its schedule means, as the field preview.
    """
    with options.session() as session:
        shown = session.api.get("tasks", task, namespace=namespace)
        if preview and session.output.is_json:
            shown["preview"] = preview_of_task(session, shown)
        _show_task_and_slots(session, shown)
        return ExitCode.OK


@app.command(name="update")
@client_command
def update_task(
    task: TaskName,
    /,
    *argv: Annotated[str, Parameter(negative=())],
    name: str | None = None,
    no_schedule: Annotated[bool, Parameter(negative=())] = False,
    no_depends_on: Annotated[bool, Parameter(negative=())] = False,
    no_when: Annotated[bool, Parameter(negative=())] = False,
    no_group: Annotated[bool, Parameter(negative=())] = False,
    no_parameters_schema: Annotated[bool, Parameter(negative=())] = False,
    removals: DispatchRemovals = _NO_REMOVALS,
    flags: TaskFlags = _NO_FLAGS,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Change what is named in the flags and leave the rest; parameters are replaced as a whole.

    Parameters
    ----------
    task
        Name or id of the task.
    argv
        A program and its arguments, after `--`.
    name
        A new name.
    no_schedule
        Take the schedule away.
    no_depends_on
        Take all dependencies away; --depends-on and --depends-on-interval replace them all, too.
    no_when
        Take the condition away.
    no_group
        Take away what makes several runs of one; with --shards, --map-over or the like, what did so before.
    no_parameters_schema
        Take the schema of the parameters away.
    """
    body = flags.fields(argv)
    namespace = body.pop("namespace", None)
    if name is not None:
        body["name"] = name
    for taken, flag, field, nothing in (
        (no_schedule, "--no-schedule", "schedule", None),
        (no_depends_on, "--no-depends-on", "dependencies", []),
        (no_when, "--no-when", "when", None),
        (no_parameters_schema, "--no-parameters-schema", "parameters_schema", None),
        *((True, *removal) for removal in removals.fields()),
    ):
        if taken and field in body:
            raise UsageError(f"{flag} contradicts the flag that sets {field}. Give one of them.")
        if taken:
            body[field] = nothing
    if no_group:
        body = {**WITHOUT_GROUP, **body}
    if not body:
        raise UsageError("Nothing to change: name a flag, such as --schedule or --priority.")
    with options.session() as session:
        changed = session.api.patch("tasks", task, body=body, namespace=namespace)
        if body.keys() & {"schedule", "timezone"}:
            _show_task_and_slots(session, changed)
        else:
            _show_task(session, changed)
        return ExitCode.OK


@app.command(name="delete", alias="rm")
@client_command
def delete_task(
    task: TaskName,
    /,
    *,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative=())] = False,
    namespace: str | None = None,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Delete a task: its schedule stops, its waiting runs are cancelled, its history stays.

    Parameters
    ----------
    task
        Name or id of the task.
    yes
        Do not ask.
    namespace
        Namespace of the name.
    """
    with options.session() as session:
        if not yes and not _confirmed(f"Delete task '{task}' and cancel its waiting runs?"):
            session.output.note("Nothing was deleted.")
            return ExitCode.FAILURE
        deleted = session.api.delete("tasks", task, namespace=namespace)
        if session.output.is_json:
            session.output.json(deleted)
        else:
            session.output.note(
                f"Task '{task}' is deleted; its name is free again. Its runs: "
                f"`scheduler run list --task {deleted['id']}`, its slots: `scheduler ledger show {deleted['id']}`."
            )
        return ExitCode.OK


@app.command(name="trigger")
@client_command
def trigger_task(
    task: TaskName,
    /,
    *,
    param: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    params: str | None = None,
    count: int | None = None,
    background: Annotated[bool, Parameter(negative=())] = False,
    wait: Annotated[bool, Parameter(negative=())] = False,
    timeout: float | None = None,
    namespace: str | None = None,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Run a task now, with what depends on it.

    With --wait the exit code tells how the task's own runs ended: 0 completed, 10 failed or
    quarantined, 11 cancelled or skipped, 12 timed out.
    Of a task with unique runs the answer may be the run that is there already.

    Parameters
    ----------
    task
        Name or id of the task.
    param
        Overrides a parameter for these runs: KEY=TEXT or KEY:=JSON. Can be repeated.
    params
        Overrides as one JSON object; --param wins over it.
    count
        Start so many runs at once, up to 10000.
    background
        Let them come after all other runs, but for a guaranteed share.
    wait
        Wait until the runs are final.
    timeout
        With --wait: give up after so many seconds.
    namespace
        Namespace of the name.
    """
    check_wait_timeout(timeout)
    if timeout is not None and not wait:
        raise UsageError("--timeout limits the waiting, so it needs --wait.")
    parameters = parse_parameters(param, params)
    body: dict[str, Any] = {"parameters": parameters} if parameters is not None else {}
    if count is not None:
        body["count"] = count
    if background:
        body["background"] = True
    with options.session() as session:
        answer = session.api.post("tasks", task, "trigger", body=body, idempotent=True, namespace=namespace)
        runs = answer["items"] if count is not None else [answer]
        standing = runs[0] if runs[0].get("existing") else None
        if wait:
            runs = wait_for_runs(session.api, session.output, [run["id"] for run in runs], timeout_seconds=timeout)
            runs = [{**runs[0], "existing": True}] if standing is not None else runs
            answer = {**answer, "items": runs} if count is not None else runs[0]
        if session.output.is_json:
            session.output.json(answer)
        else:
            session.output.table(RUN_HEADINGS, [run_row(run) for run in runs])
            if standing is not None:
                stands = f"Run {standing['id']} is there already ({standing['status']})"
                session.output.note(f"{stands}: no new one was made.")
            if not wait:
                session.output.note(f"Follow it with `scheduler run logs {runs[0]['id']} --follow`.")
                note_paused(session.api, session.output, runs[0]["id"], runs[0]["status"])
            else:
                tell_errors(session.output, runs)
        return exit_code_of(run["status"] for run in runs) if wait else ExitCode.OK


@app.command(name="pause")
@client_command
def pause_task(task: TaskName, /, *, namespace: str | None = None, options: ClientOptions = DEFAULT_OPTIONS) -> int:
    """Hold a task: none of its runs starts until it is resumed; those that run go on.

    Parameters
    ----------
    task
        Name or id of the task.
    namespace
        Namespace of the name.
    """
    return _set_pause(task, "pause", namespace, options)


@app.command(name="resume")
@client_command
def resume_task(task: TaskName, /, *, namespace: str | None = None, options: ClientOptions = DEFAULT_OPTIONS) -> int:
    """Let a paused task go on.

    Parameters
    ----------
    task
        Name or id of the task.
    namespace
        Namespace of the name.
    """
    return _set_pause(task, "resume", namespace, options)


@app.command(name="apply")
@client_command
def apply_tasks(
    *files: Annotated[str, Parameter(negative=(), allow_leading_hyphen=True)],
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Create or update every task and limit of the files, all or none of them.

    Tasks and limits that are in no file are left alone; a relative working_dir is sent as it is written.

    Parameters
    ----------
    files
        TOML with [[task]] and [[limit]] tables, YAML with lists under tasks: and limits:, or - for stdin.
    dry_run
        Only say what would change.
    """
    from scheduler_api.client.task_apply import apply_files

    check_file_names(files)
    if not files:
        raise UsageError("Name at least one file, or - for stdin.")
    with options.session() as session:
        return apply_files(session, files, dry_run=dry_run)


def _set_pause(task: str, action: str, namespace: str | None, options: ClientOptions) -> int:
    with options.session() as session:
        _show_task(session, session.api.post("tasks", task, action, idempotent=True, namespace=namespace))
        return ExitCode.OK


def _show_task_and_slots(session: Session, task: dict[str, Any]) -> None:
    if session.output.is_json:
        session.output.json(task)
        return
    preview = preview_if_possible(session, task)
    session.output.fields([*task_fields(task), *(preview_fields(preview) if preview else [])])
    if preview:
        show_slots(session, preview)


def _show_task(session: Session, task: dict[str, Any]) -> None:
    if session.output.is_json:
        session.output.json(task)
    else:
        session.output.fields(task_fields(task))


def _confirmed(question: str) -> bool:
    import sys

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("Deleting needs --yes where nobody can be asked.")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
