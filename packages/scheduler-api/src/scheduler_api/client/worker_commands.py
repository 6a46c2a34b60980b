"""`scheduler worker …`: who can take runs, who went, and who is to take no more."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.client_options import DEFAULT_OPTIONS, ClientOptions, Session, client_command
from scheduler_api.client.listing import fetch_list, note_rest
from scheduler_api.client.worker_draining import alive_worker_ids, wait_until_empty
from scheduler_api.client.worker_view import (
    HEADINGS,
    RUN_HEADINGS,
    WIDE_HEADINGS,
    run_rows,
    show_state,
    wide_cells,
    worker_fields,
    worker_row,
)
from scheduler_core.errors import Problem
from scheduler_core.runtime.exit_code import ExitCode

app = App(name="worker", help="Look at the workers, drain them and let them go on.")

WorkerName = Annotated[str, Parameter(negative=())]
EveryWorker = Annotated[bool, Parameter(name="--all", negative=())]


@app.command(name="list", alias="ls")
@client_command
def list_workers(
    *,
    limit: int = 50,
    every: Annotated[bool, Parameter(name=["--all", "-a"], negative=())] = False,
    wide: Annotated[bool, Parameter(name=["--wide", "-w"], negative=())] = False,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """List worker sessions, newest first; a session is one life of one worker process.

    Parameters
    ----------
    limit
        How many to show.
    every
        Show all of them, page after page.
    wide
        Also show the Python version and how busy each worker's host is.
    """
    with options.session() as session:
        page = fetch_list(session, "workers", limit=limit, every=every)
        if session.output.is_json:
            session.output.json(page)
            return ExitCode.OK
        if not page["items"]:
            session.output.note("No worker has registered yet. Start one with `scheduler-worker` or `scheduler up`.")
            return ExitCode.OK
        session.output.table(
            (*HEADINGS, *(WIDE_HEADINGS if wide else ())),
            [[*worker_row(worker), *(wide_cells(worker) if wide else ())] for worker in page["items"]],
        )
        note_rest(session, page)
        return ExitCode.OK


@app.command(name="show")
@client_command
def show_worker(worker: str, /, *, options: ClientOptions = DEFAULT_OPTIONS) -> int:
    """Show a worker: what it is, how busy its host is, and the runs that it holds.

    Parameters
    ----------
    worker
        Its worker id, or the id of one of its sessions.
    """
    with options.session() as session:
        found = session.api.get("workers", worker)
        if session.output.is_json:
            session.output.json(found)
            return ExitCode.OK
        session.output.fields(worker_fields(found))
        if found["runs"]:
            session.output.table(RUN_HEADINGS, run_rows(found))
        if (rest := found["running"] - len(found["runs"])) > 0:
            session.output.note(f"It holds {rest} more run{'' if rest == 1 else 's'}.")
        return ExitCode.OK


@app.command(name="drain")
@client_command
def drain_workers(
    *workers: WorkerName,
    every: EveryWorker = False,
    wait: Annotated[bool, Parameter(negative=())] = False,
    timeout: float | None = None,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Let workers start nothing new, until `scheduler worker resume`; what they run goes on.

    It holds for the worker id: a worker that is started again under its id stays drained.

    Parameters
    ----------
    workers
        Worker ids, or ids of sessions.
    every
        All workers that are alive.
    wait
        Return when they hold no run any more.
    timeout
        Give up waiting after so many seconds.
    """
    if timeout is not None and not (wait and timeout >= 0):
        raise UsageError([Problem("--timeout", "--timeout says for how many seconds --wait waits. Give --wait, too.")])
    with options.session() as session:
        drained = _tell_all(session, _chosen(session, workers, every), "drain")
        if wait:
            drained = wait_until_empty(
                session.api, session.output, [str(each["worker_id"]) for each in drained], timeout_seconds=timeout
            )
        return _show(session, drained)


@app.command(name="resume")
@client_command
def resume_workers(*workers: WorkerName, every: EveryWorker = False, options: ClientOptions = DEFAULT_OPTIONS) -> int:
    """Let drained workers take runs again, at once.

    Parameters
    ----------
    workers
        Worker ids, or ids of sessions.
    every
        All workers that are alive.
    """
    with options.session() as session:
        return _show(session, _tell_all(session, _chosen(session, workers, every), "resume"))


def _chosen(session: Session, workers: Sequence[str], every: bool) -> list[str]:
    if bool(workers) == every:
        raise UsageError("Name the workers, or give --all for those that are alive, and not both.")
    return alive_worker_ids(session.api) if every else list(dict.fromkeys(workers))


def _tell_all(session: Session, workers: Sequence[str], word: Literal["drain", "resume"]) -> list[Mapping[str, Any]]:
    """All of them are looked up before the first is told: when one does not exist, none is told."""
    if len(workers) > 1:
        for worker in workers:
            session.api.get("workers", worker)
    return [session.api.post("workers", worker, word) for worker in workers]


def _show(session: Session, workers: Sequence[Mapping[str, Any]]) -> int:
    if session.output.is_json:
        session.output.json(list(workers))
        return ExitCode.OK
    if not workers:
        session.output.note("No worker is alive.")
        return ExitCode.OK
    session.output.table(("WORKER", "STATE", "BUSY"), [_short_row(worker) for worker in workers])
    if gone := [str(worker["worker_id"]) for worker in workers if worker["state"] != "ALIVE"]:
        session.output.note(f"Not running now: {', '.join(gone)}. This counts when it is started again.")
    return ExitCode.OK


def _short_row(worker: Mapping[str, Any]) -> list[str]:
    return [str(worker["worker_id"]), show_state(worker), f"{worker['running']} of {worker['places']}"]
