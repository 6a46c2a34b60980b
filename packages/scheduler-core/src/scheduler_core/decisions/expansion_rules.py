"""What becomes of a run that cannot simply start: its condition, or the runs of its group."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from scheduler_core.decisions.templates import TemplateContext, evaluate, upstream_context
from scheduler_core.errors import SchedulerError
from scheduler_core.models import FlowPlan, RunInputs, SkipReason, WorkerSession
from scheduler_core.models.expansion import ExpandableRun, Expansion, GroupMember

GROUP_SIZE_MAX: Final = 100_000
"""How many runs a group may have."""

_encode = msgspec.json.Encoder().encode
_NUL = b"\\u0000"


def asks_upstream(run: ExpandableRun) -> bool:
    """Whether its expansion may depend on the runs upstream of it."""
    options = run.flow_options
    return any("upstream" in text for text in (options.when, options.map_over) if text is not None)


def expansion_of(
    run: ExpandableRun,
    inputs: RunInputs,
    *,
    sessions: Sequence[WorkerSession] = (),
    plan_of: Callable[[int], FlowPlan | None] = lambda _: None,
) -> Expansion:
    """What is done with a run: skipped, failed with a sentence, made a group, or simply started.

    `sessions` are the live worker sessions, for a broadcast; `plan_of` gives the flow of a task, None for one that is
    gone. Raises nothing: whatever goes wrong with an expression fails the run, and no other.
    """
    try:
        options = run.flow_options
        if options.when is not None and not evaluate(options.when, _context(run, inputs)):
            return Expansion(
                run_id=run.id,
                skip_reason=SkipReason.WHEN_FALSE,
                error=f"Not run: its condition is false: {options.when}",
            )
        if options.sub_flow is not None:
            return _sub_flow(run, plan_of)
        members = _members(run, inputs, sessions)
        return Expansion(run_id=run.id, members=members, max_parallel=options.max_parallel)
    except SchedulerError as error:
        return Expansion(run_id=run.id, error=str(error))
    except Exception as error:
        return Expansion(run_id=run.id, error=f"It cannot be expanded: {type(error).__name__}: {error}")


def _members(
    run: ExpandableRun, inputs: RunInputs, sessions: Sequence[WorkerSession]
) -> tuple[GroupMember, ...] | None:
    options = run.flow_options
    if options.shards is not None:
        return (GroupMember(),) * options.shards
    if options.broadcast:
        return _one_for_each_worker(run, sessions)
    if options.map_over is None:
        return None
    items = evaluate(options.map_over, _context(run, inputs))
    if not isinstance(items, list | tuple):
        raise SchedulerError(f"map_over is no list but {_kind(items)}: {options.map_over}")
    if len(items) > GROUP_SIZE_MAX:
        raise SchedulerError(
            f"map_over has {len(items)} items; at most {GROUP_SIZE_MAX} are possible. Put several into one item."
        )
    return tuple(GroupMember(item=_item(item, options.map_over)) for item in items)


def _item(item: Any, expression: str) -> str:
    """An element as the database takes it."""
    try:
        encoded = _encode(item)
        text = encoded.decode()
    except (UnicodeError, TypeError, ValueError) as error:
        raise SchedulerError(f"An item of map_over cannot be written as JSON ({error}): {expression}") from error
    if _NUL in encoded:
        raise SchedulerError(f"An item of map_over contains a NUL, which the database cannot store: {expression}")
    return text


def _one_for_each_worker(run: ExpandableRun, sessions: Sequence[WorkerSession]) -> tuple[GroupMember, ...]:
    takers = [
        session
        for session in sessions
        if not session.draining
        and {run.queue, f"@{session.worker_id}"} <= set(session.queues)
        and run.task_type in session.task_types
    ]
    if not takers:
        raise SchedulerError(
            f"There is no live worker for queue '{run.queue}' and task type '{run.task_type}' to broadcast to."
        )
    return tuple(
        GroupMember(item=_encode(session.worker_id).decode(), queue=f"@{session.worker_id}")
        for session in sorted(takers, key=lambda session: session.worker_id)
    )


def _sub_flow(run: ExpandableRun, plan_of: Callable[[int], FlowPlan | None]) -> Expansion:
    plan = None if run.sub_flow_id is None else plan_of(run.sub_flow_id)
    if plan is None:
        raise SchedulerError(f"The task '{run.flow_options.sub_flow}' that sub_flow names was deleted.")
    # Every run is counted for the group, so each has to be settled.
    members = tuple(msgspec.structs.replace(member, needs_settlement=True) for member in plan.members)
    return Expansion(run_id=run.id, plan=FlowPlan(members, plan.edges))


def _context(run: ExpandableRun, inputs: RunInputs) -> TemplateContext:
    interval = None
    if run.interval_from is not None and run.interval_to is not None:
        interval = {"from": run.interval_from, "to": run.interval_to}
    return TemplateContext(
        params=run.parameters,
        upstream=upstream_context(inputs),
        run={
            "id": run.id,
            "flow_id": run.flow_id,
            "task": run.task_name,
            "namespace": run.namespace,
            "scheduled_at": run.scheduled_at,
        },
        interval=interval,
    )


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {dict: "an object", str: "a text", bool: "a truth value", int: "a number", float: "a number"}
    return names.get(type(value), type(value).__name__)
