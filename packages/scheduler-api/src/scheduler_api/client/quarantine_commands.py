"""`scheduler quarantine …`: runs that took their workers with them, and what is decided of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter

from scheduler_api.client.client_options import DEFAULT_OPTIONS, ClientOptions, Session, client_command
from scheduler_api.client.human_time import show_instant, show_time_between
from scheduler_api.client.listing import fetch_list, note_rest
from scheduler_api.client.quarantine_deciding import decide_all
from scheduler_api.client.run_view import RUN_HEADINGS, run_row
from scheduler_core.runtime.exit_code import ExitCode

app = App(name="quarantine", help="Look at runs that took their workers with them, release and discard them.")

_HEADINGS = ("RUN", "TASK", "QUARANTINED", "LOSSES", "LAST WORKER", "DECISION")


@app.command(name="list", alias="ls")
@client_command
def list_quarantine(
    *,
    namespace: str | None = None,
    decided: Annotated[bool, Parameter(negative=())] = False,
    limit: int = 50,
    every: Annotated[bool, Parameter(name=["--all", "-a"], negative=())] = False,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """List quarantined runs, newest first.

    Parameters
    ----------
    namespace
        Only runs of this namespace.
    decided
        Also those that were released or discarded.
    limit
        How many to show.
    every
        Show all of them, page after page.
    """
    with options.session() as session:
        page = fetch_list(
            session, "quarantine", limit=limit, every=every, namespace=namespace, decided="true" if decided else None
        )
        if session.output.is_json:
            session.output.json(page)
            return ExitCode.OK
        if not page["items"]:
            rest = "" if decided else " Those that were decided: `scheduler quarantine list --decided`."
            session.output.note(f"No run is in quarantine.{rest}")
            return ExitCode.OK
        session.output.table(_HEADINGS, [_row(run) for run in page["items"]])
        note_rest(session, page)
        return ExitCode.OK


@app.command(name="show")
@client_command
def show_quarantined(run: int, /, *, options: ClientOptions = DEFAULT_OPTIONS) -> int:
    """Show a quarantined run with the evidence: each worker that was lost, and what the run had printed last.

    Parameters
    ----------
    run
        Id of the run.
    """
    with options.session() as session:
        found = session.api.get("quarantine", run)
        if session.output.is_json:
            session.output.json(found)
            return ExitCode.OK
        session.output.fields(_fields(found))
        if found["decision"] is None:
            session.output.note(
                f"Run it again with `scheduler quarantine release {run}`, or leave it as it is with "
                f"`scheduler quarantine discard {run}`."
            )
        return ExitCode.OK


@app.command(name="release")
@client_command
def release_runs(*runs: Annotated[int, Parameter(negative=())], options: ClientOptions = DEFAULT_OPTIONS) -> int:
    """Run quarantined runs again, with what waited for them in their flows: each as a new run.

    Several are judged before the first is released: when one of them cannot be, none is.

    Parameters
    ----------
    runs
        Ids of the runs.
    """
    return decide_all(options, runs, "released", _release, _show_released)


@app.command(name="discard")
@client_command
def discard_runs(*runs: Annotated[int, Parameter(negative=())], options: ClientOptions = DEFAULT_OPTIONS) -> int:
    """Leave quarantined runs as they are, and take them off the list.

    Several are judged before the first is discarded: when one of them cannot be, none is.

    Parameters
    ----------
    runs
        Ids of the runs.
    """
    return decide_all(options, runs, "discarded", _discard, _show_discarded)


def _release(session: Session, run: int) -> Mapping[str, Any]:
    made: Mapping[str, Any] = session.api.post("quarantine", run, "release", idempotent=True)
    return made


def _discard(session: Session, run: int) -> Mapping[str, Any]:
    discarded: Mapping[str, Any] = session.api.post("quarantine", run, "discard")
    return discarded


def _show_released(session: Session, made: Sequence[Mapping[str, Any]]) -> None:
    session.output.table(RUN_HEADINGS, [run_row(run) for run in made])


def _show_discarded(session: Session, discarded: Sequence[Mapping[str, Any]]) -> None:
    session.output.table(_HEADINGS, [_row(run) for run in discarded])


def _row(run: Mapping[str, Any]) -> list[str]:
    return [
        str(run["run_id"]),
        str(run["task_name"]),
        show_instant(run["quarantined_at"]),
        str(run["losses"]),
        str(run["evidence"][-1]["worker_id"] or "-") if run["evidence"] else "-",
        _decision(run),
    ]


def _decision(run: Mapping[str, Any]) -> str:
    released = f" as run {run['released_run_id']}" if run["released_run_id"] is not None else ""
    return f"{run['decision']}{released}" if run["decision"] else "-"


def _fields(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Run", str(run["run_id"])),
        ("Task", f"{run['task_name']} (id {run['task_id']})"),
        ("Quarantined", show_instant(run["quarantined_at"])),
        ("Decision", _decision(run)),
        ("Losses", str(run["losses"])),
        *(pair for loss in run["evidence"] for pair in _loss(loss)),
    ]


def _loss(loss: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """How a worker was lost, and line by line what the run had printed last."""
    worker = f"on {loss['worker_id']} ({loss['hostname']})" if loss["worker_id"] else "on an unknown worker"
    took = show_time_between(loss["started_at"], loss["ended_at"])
    signal = f" The process was ended by {loss['signal']}." if loss["signal"] else ""
    yield f"Attempt {loss['attempt']}", f"{worker}, lost after {took}. {loss['reason']}{signal}"
    for number, line in enumerate(loss["last_lines"]):
        yield "" if number else "Printed", line
