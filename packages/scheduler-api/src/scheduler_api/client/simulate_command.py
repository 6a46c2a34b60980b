"""`scheduler simulate`: which slots tasks have over any range of time, from files alone or from a server."""

from typing import Annotated

from cyclopts import App, Group, Parameter

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.client_options import DEFAULT_OPTIONS, ClientOptions, client_command
from scheduler_api.client.file_names import check_file_names
from scheduler_api.client.task_name_completion import complete_task_names

app = App(name="simulate", help="Show which slots tasks have over a range of time, past or future.")

_WHAT = Group("What to simulate", sort_key=10)
_ANSWER = Group("What to show", sort_key=20)


@app.default
@client_command
def simulate(
    *files: Annotated[str, Parameter(group=_WHAT, negative=(), allow_leading_hyphen=True)],
    task: Annotated[
        tuple[str, ...], Parameter(group=_WHAT, negative=(), completer=complete_task_names, show_default=False)
    ] = (),
    namespace: Annotated[str | None, Parameter(group=_WHAT)] = None,
    start: Annotated[str, Parameter(name=["--from"], group=_WHAT, allow_leading_hyphen=True)] = "now",
    end: Annotated[str | None, Parameter(name=["--to"], group=_WHAT, allow_leading_hyphen=True)] = None,
    what_if: Annotated[tuple[str, ...], Parameter(group=_WHAT, negative=(), show_default=False)] = (),
    assume_duration: Annotated[str, Parameter(group=_WHAT)] = "0s",
    slots: Annotated[bool, Parameter(group=_ANSWER, negative=())] = False,
    chart: Annotated[str | None, Parameter(group=_ANSWER)] = None,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Show which slots tasks have in a range of time, its end excluded, by the code that production runs.

    With files it needs no server, database or key. Nothing is changed or run.

    Parameters
    ----------
    files
        Task files as for `scheduler task apply`, or - for stdin.
    task
        A task of the server, by name or id. Can be repeated.
    namespace
        Namespace of the names.
    start
        Where the range begins: a date or an instant as in RFC 3339 (in UTC without an offset), now, today, or so long
        from now (-1d, +12h).
    end
        Where the range ends, written alike; a slot at this instant is outside [one day after --from].
    what_if
        A file of changed tasks, in place of those of the same name: tells which slots that adds and removes. Can be
        repeated.
    assume_duration
        How long each run of a task with after_end takes: without runs its slots are not known.
    slots
        List every slot, not only how many there are; -o json always does, one a line.
    chart
        Write a picture of the load per minute to this file (.svg or .png).
    """
    # Here and not above: they load the schedule code, which `scheduler simulate --help` needs not.
    from scheduler_api.client.simulate_run import SimulationRequest, run_simulation

    check_file_names(files)
    if bool(files) == bool(task):
        raise UsageError("Name either task files, or tasks of the server with --task.")
    request = SimulationRequest(files, task, namespace, start, end, what_if, assume_duration, slots, chart)
    return run_simulation(request, options)
