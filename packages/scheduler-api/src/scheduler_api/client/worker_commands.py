"""`scheduler worker …`: who can take runs, and who went."""

from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import App, Parameter

from scheduler_api.client.client_options import DEFAULT_OPTIONS, ClientOptions, client_command
from scheduler_api.client.dispatch_words import show_resources
from scheduler_api.client.human_time import show_age
from scheduler_api.client.listing import fetch_list, note_rest
from scheduler_core.runtime.exit_code import ExitCode

app = App(name="worker", help="Look at the workers.")

_HEADINGS = (
    "SESSION", "WORKER", "HOST", "PID", "STATE", "BUSY", "QUEUES", "TYPES", "LAST HEARTBEAT", "VERSION", "TAGS",
    "RESOURCES",
)  # fmt: skip


@app.command(name="list", alias="ls")
@client_command
def list_workers(
    *,
    limit: int = 50,
    every: Annotated[bool, Parameter(name=["--all", "-a"], negative=())] = False,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """List worker sessions, newest first; a session is one life of one worker process.

    Parameters
    ----------
    limit
        How many to show.
    every
        Show all of them, page after page.
    """
    with options.session() as session:
        page = fetch_list(session, "workers", limit=limit, every=every)
        if session.output.is_json:
            session.output.json(page)
            return ExitCode.OK
        if not page["items"]:
            session.output.note("No worker has registered yet. Start one with `scheduler-worker` or `scheduler up`.")
            return ExitCode.OK
        session.output.table(_HEADINGS, [_row(worker) for worker in page["items"]])
        note_rest(session, page)
        return ExitCode.OK


def _row(worker: Mapping[str, Any]) -> list[str]:
    draining = worker.get("draining") and worker["state"] == "ALIVE"
    return [
        str(worker["id"]),
        str(worker["worker_id"]),
        str(worker["hostname"]),
        str(worker["pid"]),
        "ALIVE, draining" if draining else str(worker["state"]),
        f"{worker['running']} of {worker['places']}",
        ", ".join(worker["queues"]) or "-",
        ", ".join(worker["task_types"]) or "-",
        show_age(worker.get("last_heartbeat_at")),
        str(worker.get("version") or "-"),
        ", ".join(worker.get("tags", ())) or "-",
        show_resources(worker.get("resources", {})) or "-",
    ]
