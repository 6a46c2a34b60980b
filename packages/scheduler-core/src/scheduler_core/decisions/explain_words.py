"""Words that explanations share: instants, lengths of time, and what can stand in the way of anything."""

from datetime import datetime

from scheduler_core.decisions.size_text import size_text
from scheduler_core.models import DEFAULT_NAMESPACE
from scheduler_core.models.explanation import BlockerCode, BlockerView
from scheduler_core.models.situation import RunSituation, SystemFacts


def show(instant: datetime) -> str:
    """An instant as a sentence names it.

    >>> from datetime import UTC
    >>> show(datetime(2027, 1, 31, 9, tzinfo=UTC))
    '2027-01-31 09:00:00 UTC'
    """
    return instant.strftime("%Y-%m-%d %H:%M:%S UTC")


def span(seconds: float) -> str:
    """A length of time in its greatest unit or two.

    >>> span(0.25), span(42), span(150), span(7500)
    ('250 ms', '42 s', '2 min 30 s', '2 h 5 min')
    """
    whole = round(seconds)
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))} ms"
    if whole < 60:
        return f"{whole} s"
    size, unit, below, unit_below = (
        (60, "min", 1, "s") if whole < 3600 else (3600, "h", 60, "min") if whole < 86400 else (86400, "d", 3600, "h")
    )
    rest = whole % size // below
    return f"{whole // size} {unit}" + (f" {rest} {unit_below}" if rest else "")


def typed(task_name: str, namespace: str) -> str:
    """A task as a command names it.

    >>> typed("report", "default"), typed("report", "sales")
    ('report', 'report --namespace sales')
    """
    return task_name if namespace == DEFAULT_NAMESPACE else f"{task_name} --namespace {namespace}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number of things.

    >>> counted(1, "run"), counted(2, "run"), counted(0, "other of them", "others of them")
    ('1 run', '2 runs', '0 others of them')
    """
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def amount(resource: str, value: float) -> str:
    """An amount of a resource; memory and disk as sizes.

    >>> amount("gpu", 2.0), amount("memory", 2048.0)
    ('2', '2KB')
    """
    return size_text(value) if resource in ("memory", "disk") else f"{value:g}"


def runs_upstream(count: int) -> str:
    """How many runs upstream.

    >>> runs_upstream(1), runs_upstream(2)
    ('1 run upstream', '2 runs upstream')
    """
    return f"{count} run{'' if count == 1 else 's'} upstream"


def stands_for(run: RunSituation) -> str:
    """What a group stands for and how far it has come, as the words that follow its name.

    In a flow that was run again in part the runs that had completed before are taken over, and count as ended.
    """
    size, ended, over = run.group_size or 0, run.members_ended, 0
    if run.flow_options.sub_flow is not None:
        size = run.members
    else:
        over = max(0, size - run.members)
        ended += over
    taken = f" ({over} taken over)" if over else ""
    return (
        f"stands for {size} run{'' if size == 1 else 's'}, of which {ended} {'has' if ended == 1 else 'have'} "
        f"ended{taken}"
    )


def dispatcher_down(system: SystemFacts) -> BlockerView:
    """No dispatcher is there."""
    seen, now = system.dispatchers.last_seen_at, system.dispatchers.now
    message = "No dispatcher has ever been seen."
    if seen is not None:
        message = f"No dispatcher runs: the last one was seen {span((now - seen).total_seconds())} ago."
    return BlockerView(
        code=BlockerCode.DISPATCHER_DOWN,
        message=message,
        clears="Start one: `scheduler-dispatcher`, or `scheduler up`.",
        since=seen,
    )


def paused(task_name: str, namespace: str, since: datetime | None) -> BlockerView:
    """The task is paused."""
    return BlockerView(
        code=BlockerCode.PAUSED,
        message=f"Task '{task_name}' is paused.",
        clears=f"Resume it: `scheduler task resume {typed(task_name, namespace)}`.",
        since=since,
        task=task_name,
    )


def deleted(task_name: str, since: datetime | None) -> BlockerView:
    """The task was deleted."""
    return BlockerView(
        code=BlockerCode.DELETED,
        message=f"Task '{task_name}' was deleted.",
        clears="Nothing: create a task anew.",
        since=since,
        task=task_name,
    )


def queue_down(error: str) -> BlockerView:
    """The broker cannot be reached, which only delays."""
    return BlockerView(
        code=BlockerCode.BROKER_UNREACHABLE,
        message=f"The message queue cannot be used, so work is found by looking for it, some seconds later: {error}",
        clears="Bring the broker back; nothing is lost meanwhile.",
        blocks=False,
    )
