"""The list of measured systems agrees with the code that measures them."""

from pathlib import Path

import pytest

from benchmarks.peers import __file__ as package
from benchmarks.peers.__main__ import default_sizes
from benchmarks.peers.catalogue import PEERS, PINS, SCHEDULES, WORKLOADS, chosen_peers, chosen_workloads
from benchmarks.peers.workloads import MEASURES
from benchmarks.workloads.catalogue import WORKLOADS as OUR_WORKLOADS


def test_benchmarks_unit_every_workload_of_a_peer_is_measured_for_both() -> None:
    """A name in the list without a measurement on one of the sides would compare nothing."""
    assert list(MEASURES) == list(WORKLOADS)
    assert set(WORKLOADS) <= set(OUR_WORKLOADS)
    assert {workload for entry in PEERS.values() for workload in entry.workloads} == set(WORKLOADS)


def test_benchmarks_unit_every_peer_has_its_file_and_exact_versions() -> None:
    """What is compared is said to the last digit."""
    for entry in PEERS.values():
        assert Path(package).with_name(f"{entry.module}.py").exists()
        assert entry.environment in PINS
    assert all("==" in pin for pins in PINS.values() for pin in pins)


def test_benchmarks_unit_every_peer_has_jobs_for_its_throughput() -> None:
    """A throughput of no jobs is none."""
    for system, entry in PEERS.items():
        for workload in entry.workloads:
            sizes = default_sizes(system, workload)
            assert all(sizes) == workload.startswith(("W1", "W3")), (system, workload)
    assert default_sizes("celery-beat", "W3-due") == SCHEDULES


def test_benchmarks_unit_a_name_means_all_that_begins_with_it() -> None:
    """In the order of the list, each once."""
    assert chosen_peers(["celery", "pgqueuer"]) == ["pgqueuer", "celery", "celery-no-results", "celery-beat"]
    assert chosen_peers(["celery-beat", "celery-beat"]) == ["celery-beat"]
    assert chosen_workloads(["W2", "W4-fan"]) == ["W2-latency", "W4-fan"]


def test_benchmarks_unit_a_name_that_means_nothing_is_refused_with_those_that_do() -> None:
    """Also one that only begins like a name."""
    with pytest.raises(ValueError, match=r"no peer 'cel': choose from pgqueuer, "):
        chosen_peers(["cel"])
    with pytest.raises(ValueError, match=r"no workload 'W9': choose from W1-bulk, "):
        chosen_workloads(["W9"])
