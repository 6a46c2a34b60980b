"""Random flows, carried out by two workers at once and settled by whoever comes first, end as their rules say."""

import asyncio
import random
from contextlib import AbstractAsyncContextManager

import pytest

from fixtures.factories import build_definition, claim, open_session, report
from fixtures.flow_oracle import OracleTask, outcomes, random_flow
from scheduler_core.decisions.flow_rules import plan_flow
from scheduler_core.errors import ConflictError
from scheduler_core.interfaces import Store, UnitOfWork
from scheduler_core.models import FAILURE_SKIPS, ClaimedRun, FlowRequest, RunTrigger, TaskRun, TaskRunStatus

FLOWS = 40
_ROUNDS_MAX = 200


async def create_flow(store: Store, tasks: list[OracleTask], seed: int) -> tuple[int, dict[int, int]]:
    """Store the tasks and one flow of them; the flow's id, and the position of each task's id."""
    definitions = [
        build_definition(
            name=f"flow-{seed}-{position}",
            dependencies=tuple(f"flow-{seed}-{up}" for up in task.upstream),
            trigger_rule=task.rule_text,
            continue_on_failure=task.goes_on,
        )
        for position, task in enumerate(tasks)
    ]
    async with store.transaction() as work:
        stored = await work.tasks.create(definitions, [None] * len(definitions))
        graph = await work.tasks.lock_graph_of([stored[0].id])
        created = await work.task_runs.create_flows(
            [FlowRequest(plan=plan_flow(graph, stored[0].id), trigger=RunTrigger.MANUAL)]
        )
    assert len(created) == len(tasks)
    return created[0].flow_id, {task.id: position for position, task in enumerate(stored)}


async def carry_out(store: Store, tasks: list[OracleTask], positions: dict[int, int], flow_id: int, seed: int) -> None:
    """Two sessions claim and report in random batches, with and without settling, until nothing is left."""
    rng = random.Random(seed)
    sessions = [await open_session(store) for _ in range(2)]
    held: dict[int, list[ClaimedRun]] = {session: [] for session in sessions}
    for _ in range(_ROUNDS_MAX):
        for session in sessions:
            held[session] += await claim(store, session, rng.randint(1, 4))
        await asyncio.gather(
            *(
                _report(store, session, _taken(held[session], rng), tasks, positions, rng.random() < 0.6)
                for session in sessions
            )
        )
        if rng.random() < 0.5:
            await asyncio.gather(_settle(store), _settle(store))
        if not any(held.values()) and not await _unended(store, flow_id):
            return
    raise AssertionError(f"flow {seed} did not end")


def _taken(runs: list[ClaimedRun], rng: random.Random) -> list[ClaimedRun]:
    rng.shuffle(runs)
    number = rng.randint(0, len(runs))
    taken = runs[:number]
    del runs[:number]
    return taken


async def _report(
    store: Store,
    session: int,
    runs: list[ClaimedRun],
    tasks: list[OracleTask],
    positions: dict[int, int],
    settles: bool,
) -> None:
    if not runs:
        return
    finished = [
        report(run, TaskRunStatus.COMPLETED if tasks[positions[run.task_id]].succeeds else TaskRunStatus.FAILED)
        for run in runs
    ]

    async def act(opened: AbstractAsyncContextManager[UnitOfWork]) -> None:
        async with opened as work:
            changes = await work.task_runs.finish(session, finished)
            assert len(changes) == len(finished)
            ended = [change.run_id for change in changes if change.needs_settlement]
            if settles and ended:
                await work.task_runs.settle(len(ended), ended)

    try:
        await act(store.transaction())
    except ConflictError:
        settles = False
        await act(store.transaction())


async def _settle(store: Store) -> None:
    try:
        async with store.autocommit() as work:
            await work.task_runs.settle(100)
    except ConflictError:
        pass


async def _unended(store: Store, flow_id: int) -> int:
    await _settle(store)
    async with store.autocommit() as work:
        await work.task_runs.admit(100)
        runs = await work.task_runs.page(flow_id=flow_id, limit=100)
    return sum(not run.status.is_final for run in runs)


def _told(run: TaskRun) -> str:
    is_failure = run.skip_reason in FAILURE_SKIPS
    return f"{run.status}!" if run.status is TaskRunStatus.SKIPPED and is_failure else run.status.value


@pytest.mark.parametrize("seed", range(FLOWS))
async def test_infra_integration_flow_ends_as_its_rules_say(store: Store, seed: int) -> None:
    """Siblings that end in one batch and at two workers at once lead to what the reference evaluator says."""
    tasks = random_flow(seed)
    flow_id, positions = await create_flow(store, tasks, seed)
    await carry_out(store, tasks, positions, flow_id, seed)
    async with store.autocommit() as work:
        runs = await work.task_runs.page(flow_id=flow_id, limit=100)
        (left, is_later) = await work.task_runs.settle(100)
    ended = [_told(run) for run in sorted(runs, key=lambda run: positions[run.task_id])]
    assert ended == outcomes(tasks)
    assert all(run.attempt == (run.status is not TaskRunStatus.SKIPPED) for run in runs)
    assert (left, is_later) == ([], False)
