"""How runs of a flow are made again, and what they take over from those that are not."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

import msgspec

from scheduler_core.decisions.admission import birth_status
from scheduler_core.decisions.rerun_choice import RerunChoice
from scheduler_core.decisions.trigger_rules import Ending, Verdict, ending_of, rule_verdict
from scheduler_core.models import ALL_SUCCESS, FlowMember, FlowPlan, TaskGraph, TaskNode, TaskRunStatus
from scheduler_core.models.rerun import FlowEdge, FlowRun
from scheduler_core.models.settlement import Endings

_TOLERABLE = (TaskRunStatus.FAILED, TaskRunStatus.TIMEOUT, TaskRunStatus.QUARANTINED)


def failed_runs(runs: Sequence[FlowRun]) -> set[int]:
    """Where a rerun of what has failed begins: runs that did not complete, and those skipped for that.

    A group that has failed by its runs counts by them.
    """
    failed = {run.id for run in runs if ending_of(run.status, run.skip_reason) is Ending.FAILURE}
    return failed - {run.group_id for run in runs if run.id in failed}


def runs_of_tasks(runs: Iterable[FlowRun], task_names: Collection[str]) -> set[int]:
    """The runs of these tasks, of a group the group alone."""
    return {run.id for run in runs if run.task_name in task_names and run.shard_index is None}


def plan_rerun(
    runs: Sequence[FlowRun], edges: Sequence[FlowEdge], seeds: Collection[int], graph: TaskGraph
) -> FlowPlan:
    """The seeds and all that is downstream of them, as one new flow; every run of the flow is final.

    Runs upstream that are not made again count as they ended. Of a group of which only single runs are made again the
    others keep their results; a group that is downstream of a rerun, or a seed itself, is expanded anew. A seed that
    waits for nothing starts whatever its trigger rule says. All tasks of the runs are in `graph`.
    """
    choice = RerunChoice(runs, edges, seeds)
    members = [run for run in runs if run.id in choice.ids]
    position = {run.id: index for index, run in enumerate(members)}
    inner: list[FlowEdge] = []
    outer: list[FlowEdge] = []
    for edge in edges:
        if edge.run_id in position:
            (inner if edge.upstream_run_id in position else outer).append(edge)
    within = Counter(edge.run_id for edge in inner)
    given: dict[int, Counter[Ending]] = defaultdict(Counter)
    for edge in outer:
        given[edge.run_id][_ending(edge)] += 1
    needed = {edge.upstream_run_id for edge in inner}
    places: Counter[int] = Counter()
    planned = []
    for run in members:
        node = graph[run.task_id]
        if run.id in choice.partial:
            member = _partial_group(run, node, choice)
        elif run.shard_index is not None:
            member = _group_member(node, places[run.group_id or 0])
            places[run.group_id or 0] += 1
        else:
            member = _ordinary(run, node, within[run.id], given[run.id])
        is_grouped = run.group_id in position
        planned.append(
            msgspec.structs.replace(
                member,
                retry_of=run.id,
                group=position[run.group_id] if run.group_id is not None and is_grouped else None,
                needs_settlement=run.id in needed or is_grouped or node.is_awaited,
            )
        )
    return FlowPlan(
        members=tuple(planned),
        edges=tuple((position[edge.upstream_run_id], position[edge.run_id]) for edge in inner),
        given=tuple((edge.upstream_run_id, position[edge.run_id]) for edge in outer),
    )


def _ordinary(run: FlowRun, node: TaskNode, within: int, given: Counter[Ending]) -> FlowMember:
    endings = Endings(within + given.total(), given[Ending.SUCCESS], given[Ending.FAILURE], given[Ending.SKIP])
    rule = run.trigger_rule
    if rule is None and (endings.failures or endings.skips):
        rule = ALL_SUCCESS
    if within and rule is not None and rule_verdict(rule, endings) is Verdict.RUN:
        # It holds by what is given; what is made again is waited for all the same.
        rule, endings = "all_done", Endings(within)
    return FlowMember(
        task_id=node.id,
        task_version_id=node.task_version_id,
        status=birth_status(node.status, within, node.flow_options.expands),
        waiting_on=within,
        trigger_rule=rule if within else None,
        upstreams=endings.total if within else 0,
        expands=node.flow_options.expands,
        is_tolerated=node.flow_options.continue_on_failure,
        given_successes=endings.successes if within and rule is not None else 0,
        given_failures=endings.failures if within else 0,
        given_skips=endings.skips if within else 0,
    )


def _partial_group(run: FlowRun, node: TaskNode, choice: RerunChoice) -> FlowMember:
    """A group that has its runs already: those that are made again, and those that it keeps."""
    kept = Counter(choice.ending_in_group(member) for member in choice.kept_of(run.id))
    again = len(choice.members_of(run.id))
    return FlowMember(
        task_id=node.id,
        task_version_id=node.task_version_id,
        status=TaskRunStatus.PENDING,
        waiting_on=again,
        is_tolerated=node.flow_options.continue_on_failure,
        given_successes=kept[Ending.SUCCESS],
        given_failures=kept[Ending.FAILURE],
        given_skips=kept[Ending.SKIP],
        keeps_group=True,
    )


def _group_member(node: TaskNode, place: int) -> FlowMember:
    bound = node.flow_options.max_parallel
    waits = bound is not None and place >= bound
    return FlowMember(
        task_id=node.id,
        task_version_id=node.task_version_id,
        status=birth_status(node.status, int(waits), delayed=False),
        waiting_on=int(waits),
    )


def _ending(edge: FlowEdge) -> Ending:
    if edge.tolerant and edge.upstream_status in _TOLERABLE:
        return Ending.SUCCESS
    return ending_of(edge.upstream_status, edge.upstream_skip_reason)
