"""Explanations and windows agree: what nothing keeps is released by the next look and taken, and nothing else is."""

import psycopg
import pytest

from fixtures.turn_world import TurnWorld
from scheduler_core.decisions import explain
from scheduler_core.decisions.admission import (
    PERMITS,
    TURN,
    Predicate,
    is_to_be_sorted,
    strategy_is_undecided,
)
from scheduler_core.decisions.explain import run_blockers
from scheduler_core.decisions.explain_case import RunCase
from scheduler_core.interfaces import Store
from scheduler_core.models import Task

WORLDS = 80
_SEED = 20270401

Seen = tuple[RunCase, bool, bool]
"""A run's situation, whether a dispatcher's look made it claimable, and whether a worker took it then."""


def codes(case: RunCase) -> set[str]:
    """The codes of what blocks a run."""
    return {view.code.value for view in run_blockers(case) if view.blocks}


def disagreements(seen: list[Seen]) -> list[str]:
    """Where an explanation is not what came. A place is what only the claim needs, unless a worker is chosen before."""
    found = []
    for case, is_released, is_taken in seen:
        told = codes(case)
        is_placed = case.turn is not None and case.turn.facts.is_placed
        if not is_placed and (not told - {"PLACES_BUSY"}) != is_released:
            found.append(f"run {case.run.id}: {sorted(told)}, and claimable is {is_released}")
        if (not told) != is_taken:
            found.append(f"run {case.run.id}: {sorted(told)}, and RUNNING is {is_taken}")
    return found


def without(predicate: Predicate, monkeypatch: pytest.MonkeyPatch, seen: list[Seen]) -> list[str]:
    """The disagreements when this predicate is not asked."""
    with monkeypatch.context() as patched:
        patched.setattr(explain, "TURN", tuple(each for each in TURN if each is not predicate))
        patched.setattr(explain, "PERMITS", tuple(each for each in PERMITS if each is not predicate))
        return disagreements(seen)


@pytest.mark.timeout(300)
async def test_infra_integration_explanations_and_windows_agree(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In random systems a gated run without blockers is RUNNING after one cycle, and one with blockers is not.

    Each predicate that blocks is needed for that, but for the one that needs a strategy which names nobody.
    """
    seen: list[Seen] = []
    tasks: dict[str, Task] = {}
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        for number in range(WORLDS):
            world = TurnWorld(_SEED + number, store, connection, tasks)
            await world.make(database_url)
            cases = await world.cases()
            released, taken = await world.cycle()
            new = [(case, case.run.id in released, case.run.id in taken) for case in cases]
            assert disagreements(new) == [], f"seed {_SEED + number}"
            seen += new
    assert {is_taken for _, _, is_taken in seen} == {True, False}
    unneeded = [each for each in (*TURN, *PERMITS) if not without(each, monkeypatch, seen)]
    assert unneeded == [is_to_be_sorted, strategy_is_undecided]
