"""Explanations and dispatch agree: what is not blocked runs in the next cycle, and what is blocked does not."""

from typing import Any

import psycopg
import pytest

from fixtures.explain_world import World
from fixtures.factories import claim as claim_runs
from fixtures.factories import open_session
from fixtures.flow_driver import FlowDriver
from scheduler_core.decisions import explain
from scheduler_core.decisions.admission import ADMISSION, CLAIM, Predicate
from scheduler_core.decisions.explain import run_blockers
from scheduler_core.decisions.explain_case import RunCase
from scheduler_core.interfaces import Store
from scheduler_core.models import Task, TaskRunStatus

WORLDS = 120
_SEED = 20270301

Seen = tuple[RunCase, frozenset[str], bool]
"""A run's situation, the codes that it must have, and whether the cycle made it RUNNING."""


def disagreements(seen: list[Seen]) -> list[str]:
    """Where an explanation is not what came, or not what was made."""
    found = []
    for case, made, is_running in seen:
        codes = {view.code.value for view in run_blockers(case) if view.blocks}
        if (not codes) != is_running:
            found.append(f"run {case.run.id}: {sorted(codes)}, and RUNNING is {is_running}")
        if codes - {"PLACES_BUSY"} != made:
            found.append(f"run {case.run.id}: told {sorted(codes)}, made {sorted(made)}")
    return found


def without(predicate: Predicate, monkeypatch: pytest.MonkeyPatch, seen: list[Seen]) -> list[str]:
    """The disagreements when this predicate is not asked."""
    with monkeypatch.context() as patched:
        patched.setattr(explain, "ADMISSION", tuple(each for each in ADMISSION if each is not predicate))
        patched.setattr(explain, "CLAIM", tuple(each for each in CLAIM if each is not predicate))
        return disagreements(seen)


@pytest.mark.timeout(300)
async def test_infra_integration_explanations_and_dispatch_agree(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In random systems a run without blockers is RUNNING after one cycle, and one with blockers is not.

    Each predicate is needed for that: without any single one of them, some of the same systems are told wrongly.
    """
    seen: list[Seen] = []
    tasks: dict[tuple[Any, ...], Task] = {}
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        for number in range(WORLDS):
            world = World(_SEED + number, store, connection, tasks)
            await world.make()
            cases = {case.run.id: case for case in await world.look()}
            after = await world.cycle()
            new = [
                (cases[subject.run_id], subject.codes, after[subject.run_id] is TaskRunStatus.RUNNING)
                for subject in world.subjects
            ]
            assert disagreements(new) == [], f"seed {_SEED + number}"
            seen += new
    assert {is_running for _, _, is_running in seen} == {True, False}
    assert [each.__name__ for each in (*ADMISSION, *CLAIM) if not without(each, monkeypatch, seen)] == []


@pytest.mark.parametrize("priority", [5, 6])
async def test_infra_integration_explanation_counts_a_condition_as_a_run_ahead(store: Store, priority: int) -> None:
    """A run whose condition the next look evaluates takes the place from one of lower priority.

    Among equals it comes last: it counts from when its condition is evaluated.
    """
    flow = FlowDriver(store)
    await flow.task("checked", when="1 == 1", priority=priority)
    await flow.task("plain")
    checked, plain = await flow.trigger("checked"), await flow.trigger("plain")
    session = await open_session(store, queues=("default",), task_types=("python",), places=1)
    async with store.autocommit() as work:
        await work.dispatchers.begin("host", 1, "0")
        system = await work.explanations.system()
        runs = await work.explanations.runs([checked, plain])
        claims = await work.explanations.claims([checked, plain], with_pending=True)
    cases = [RunCase(run=run, system=system, claims=claim) for run, claim in zip(runs, claims, strict=True)]
    told = [[view.code.value for view in run_blockers(case) if view.blocks] for case in cases]
    assert told == ([[], ["PLACES_BUSY"]] if priority == 6 else [["PLACES_BUSY"], []])
    await flow.look()
    assert [run.id for run in await claim_runs(store, session, 1)] == [checked if priority == 6 else plain]
