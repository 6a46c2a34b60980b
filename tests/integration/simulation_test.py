"""The simulation with some seeds, and whether it sees faults at all."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest

from fixtures.database import PostgresServer
from fixtures.simulated_database import DatabaseServer, simulated_server
from scheduler_infra.database import repository
from scheduler_infra.database.query_loader import query
from simulation.__main__ import told
from simulation.plan import plan_of
from simulation.system import Simulation

SEEDS = range(1, 201)
SEEDS_AT_ONCE = 25
"""So many in one test, so that tests that run side by side share them, and a slow machine ends each in time."""

FEW_SEEDS = range(1, 61)

BROKEN_RULES = {
    "retries without end": (
        "finish_runs",
        {"report.delay IS NOT NULL AND held.failures < held.max_retries\n": "report.delay IS NOT NULL\n"},
        "times and may be tried again",
    ),
    "slots without a run are not recorded": (
        "advance_schedules",
        {"ON CONFLICT": "WHERE false ON CONFLICT"},
        "slots on record",
    ),
    "runs hold permits that are not counted": (
        "limit_key_states",
        {"AND run.status = 'RUNNING'": "AND false"},
        "is exceeded by runs",
    ),
    "permits are given out under no lock": (
        "lock_limit_keys",
        {"\nFOR UPDATE": ""},
        "is exceeded by runs",
    ),
    "who has lost a run may end it": (
        "finish_runs",
        {
            "AND held.session_id = (SELECT id FROM session)": "",
            "WHERE id = %(session_id)s AND state = 'ALIVE'": "WHERE id = %(session_id)s",
            "AND report.attempt = held.attempt": "",
        },
        "whose job did not complete",
    ),
    "who is granted runs may start those of others": (
        "claim_granted_runs",
        {"ON run_grants.session_id = seen.id AND": "ON"},
        "which it was not granted to",
    ),
    "runs that were started stay granted": (
        "claim_granted_runs",
        {"run_grants.run_ids[cardinality(used.run_ids) + 1:]": "run_grants.run_ids"},
        "still, which has started them",
    ),
    "runs of any queue are started": (
        "claim_runs",
        {"run.queue = wanted.queue": "true", "run.queue = lane.queue": "true"},
        "which does not serve it",
    ),
}
"""Changes of statements, and what the simulation says of them."""


@pytest.fixture
def server(database_url: str, postgres_server: PostgresServer) -> Iterator[DatabaseServer]:
    """A server whose database is one of simulations."""
    with simulated_server(database_url, postgres_server.socket_dir) as server:
        yield server


@pytest.mark.parametrize("first", SEEDS[::SEEDS_AT_ONCE])
def test_simulation_integration_no_seed_loses_or_doubles_anything(server: DatabaseServer, first: int) -> None:
    """Whatever fails and in whichever order, slots, runs, outcomes, limits and flows end as they are promised."""
    seeds = range(first, first + SEEDS_AT_ONCE)
    wrong = [result for seed in seeds if (result := Simulation(plan_of(seed), server).run()).violations]

    assert not wrong, "\n".join(told(result) for result in wrong)


def test_simulation_integration_seed_is_the_same_again_after_others(server: DatabaseServer) -> None:
    """A seed that has failed among many fails alone in the same way."""
    first, other, again = (Simulation(plan_of(seed), server).run() for seed in (5, 6, 5))

    assert again == first
    assert other.digest != first.digest


@pytest.mark.parametrize("rule", BROKEN_RULES)
def test_simulation_integration_broken_rule_is_seen(server: DatabaseServer, rule: str) -> None:
    """A statement that does not keep its promise is found by one of a few seeds."""
    name, changes, words = BROKEN_RULES[rule]
    broken: str = query(name)
    for before, after in changes.items():
        assert before in broken
        broken = broken.replace(before, after)

    with patch.object(repository, "query", lambda asked: broken if asked == name else query(asked)):
        results = (Simulation(plan_of(seed), server).run() for seed in FEW_SEEDS)
        seen = any(words in sentence for result in results for sentence in result.violations)

    assert seen
