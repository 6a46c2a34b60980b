"""`scheduler flow …`: all runs that a slot or a trigger has started, as one thing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.client_options import DEFAULT_OPTIONS, ClientOptions, Session, client_command
from scheduler_api.client.confirmation import confirmed
from scheduler_api.client.flow_picture import Format, drawn_flow, write_picture
from scheduler_api.client.flow_view import FLOW_HEADINGS, flow_row
from scheduler_api.client.flow_waiting import wait_for_flow
from scheduler_api.client.listing import fetch_list, note_rest
from scheduler_api.client.run_commands import check_wait_timeout
from scheduler_api.client.run_view import tell_errors
from scheduler_api.client.run_waiting import exit_code_of
from scheduler_api.client.task_name_completion import complete_task_names
from scheduler_api.client.waiting_notes import note_paused
from scheduler_core.errors import Problem
from scheduler_core.runtime.exit_code import ExitCode

app = App(name="flow", help="Look at flows, run them again, cancel them.")


@app.command(name="list", alias="ls")
@client_command
def list_flows(
    *,
    task: Annotated[str | None, Parameter(completer=complete_task_names)] = None,
    status: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    namespace: str | None = None,
    limit: int = 20,
    every: Annotated[bool, Parameter(name=["--all", "-a"], negative=())] = False,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """List flows of more than one run, newest first.

    Parameters
    ----------
    task
        Only flows that begin with this task (name or id).
    status
        Only flows that are RUNNING, COMPLETED, FAILED or CANCELLED. Can be repeated.
    namespace
        Only flows of this namespace.
    limit
        How many to show.
    every
        Show all of them, page after page.
    """
    with options.session() as session:
        statuses = [text.upper() for text in status] or None
        page = fetch_list(session, "flows", limit=limit, every=every, task=task, status=statuses, namespace=namespace)
        if session.output.is_json:
            session.output.json(page)
            return ExitCode.OK
        if not page["items"]:
            session.output.note("No such flows. `scheduler run list` shows runs that have no others with them, too.")
            return ExitCode.OK
        session.output.table(FLOW_HEADINGS, [flow_row(flow) for flow in page["items"]])
        note_rest(session, page)
        return ExitCode.OK


@app.command(name="show")
@client_command
def show_flow(
    flow: int,
    /,
    *,
    picture: Annotated[Format, Parameter(name="--format")] = "text",
    gantt: Annotated[bool, Parameter(negative=())] = False,
    out: Path | None = None,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Draw a flow: who waits for whom, and how each run stands.

    Parameters
    ----------
    flow
        Id of the flow, which is that of its first run.
    picture
        text: a drawing for the terminal. dot, mermaid: for graph tools. svg: a picture of when its runs ran. json:
        the API's own answer.
    gantt
        Draw as text when its runs ran.
    out
        A file to write to instead of stdout.
    """
    if gantt and picture not in ("text", "svg"):
        raise UsageError([Problem("--gantt", f"--gantt is drawn as text or svg, not as {picture}. Leave one out.")])
    with options.session() as session:
        view = session.api.get("flows", flow)
        if session.output.is_json and picture == "text" and not gantt:
            picture = "json"
        write_picture(session.output, drawn_flow(view, picture, gantt=gantt, to_file=out is not None), out)
        if view["truncated"]:
            session.output.note(
                f"The first {len(view['nodes'])} of {view['node_count']} runs are shown, groups counted as one."
            )
        return ExitCode.OK


@app.command(name="rerun")
@client_command
def rerun_flow(
    flow: int,
    /,
    *,
    from_start: Annotated[bool, Parameter(negative=())] = False,
    from_failed: Annotated[bool, Parameter(negative=())] = False,
    from_task: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    background: Annotated[bool, Parameter(negative=())] = False,
    wait: Annotated[bool, Parameter(negative=())] = False,
    timeout: float | None = None,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Run a flow again as a new flow: all of it, what has not completed, or from single tasks on.

    Parameters
    ----------
    flow
        Id of the flow.
    from_start
        Run all of it.
    from_failed
        Run what has failed and what could not run because of that; the results of the others are taken over.
    from_task
        Run this task and what follows from it. Can be repeated.
    background
        Let its runs come after all other runs, but for a guaranteed share.
    wait
        Wait for its end; the exit code is that of `flow wait`.
    timeout
        Give up waiting after so many seconds.
    """
    chosen = [from_start, from_failed, bool(from_task)]
    if sum(chosen) != 1:
        told = "Say from where to run the flow again" if not any(chosen) else "A flow is run again from one place"
        raise UsageError(f"{told}: give one of --from-start, --from-failed and --from-task NAME.")
    check_wait_timeout(timeout)
    if timeout is not None and not wait:
        raise UsageError([Problem("--timeout", "--timeout says how long --wait waits. Give --wait, too.")])
    body: dict[str, Any] = {"from": "start" if from_start else "failed" if from_failed else "tasks"}
    if from_task:
        body["tasks"] = list(from_task)
    if background:
        body["background"] = True
    with options.session() as session:
        made = session.api.post("flows", flow, "rerun", body=body, idempotent=True)
        new = made["flow_id"]
        if not wait:
            if session.output.is_json:
                session.output.json(made)
            else:
                session.output.table(
                    ("FLOW", "RUN", "TASK", "AGAIN FOR"),
                    [[str(new), str(r["run_id"]), r["task"], str(r["retry_of"] or "-")] for r in made["rerun"]],
                )
                more = made["run_count"] - len(made["rerun"])
                rest = f" It has {more} more run{'' if more == 1 else 's'}." if more > 0 else ""
                session.output.note(f"Flow {new} is running.{rest} See it with `scheduler flow show {new}`.")
                for again in made["rerun"][:1]:
                    note_paused(session.api, session.output, again["run_id"])
            return ExitCode.OK
        return _ended(session, wait_for_flow(session.api, session.output, new, timeout_seconds=timeout))


@app.command(name="cancel")
@client_command
def cancel_flow(
    flow: int,
    /,
    *,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative=())] = False,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Cancel all runs of a flow that are not final.

    Parameters
    ----------
    flow
        Id of the flow.
    yes
        Do not ask first.
    """
    with options.session() as session:
        if not yes and not confirmed(f"Cancel all runs of flow {flow} that are not final?", "Cancelling a flow"):
            session.output.note("Nothing was cancelled.")
            return ExitCode.OK
        done = session.api.post("flows", flow, "cancel")
        if session.output.is_json:
            session.output.json(done)
            return ExitCode.OK
        session.output.table(FLOW_HEADINGS, [flow_row(done["flow"])])
        if done["stopping"]:
            stopping = f"{done['stopping']} more are" if done["stopping"] > 1 else "1 more is"
            cancelled = "1 run was" if done["cancelled"] == 1 else f"{done['cancelled']} runs were"
            session.output.note(
                f"{cancelled} cancelled, {stopping} being stopped; see the end with `scheduler flow wait {flow}`."
            )
        return ExitCode.OK


@app.command(name="wait")
@client_command
def wait_flow(
    flow: int,
    /,
    *,
    timeout: float | None = None,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Wait until a flow has ended.

    Exit codes: 0 completed, 10 failed, 11 cancelled, 6 not ended in time.

    Parameters
    ----------
    flow
        Id of the flow.
    timeout
        Give up after so many seconds.
    """
    check_wait_timeout(timeout)
    with options.session() as session:
        return _ended(session, wait_for_flow(session.api, session.output, flow, timeout_seconds=timeout))


def _ended(session: Session, flow: Mapping[str, Any]) -> ExitCode:
    if session.output.is_json:
        session.output.json(flow)
    else:
        session.output.table(FLOW_HEADINGS, [flow_row(flow)])
        if flow["status"] == "FAILED":
            nodes = session.api.get("flows", flow["id"])["nodes"]
            tell_errors(session.output, (node for node in nodes if node["status"] not in ("SKIPPED", "CANCELLED")))
    return exit_code_of([flow["status"]])
