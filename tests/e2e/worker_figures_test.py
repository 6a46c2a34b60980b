"""The figures of workers in a short form: nothing of a job outlives it, and what it prints arrives."""

import pytest

from benchmarks.worker_cancel import cancel
from benchmarks.worker_idle import idle
from benchmarks.worker_output import flood, lines
from benchmarks.worker_shell import shell
from benchmarks.worker_trees import freezes, kills, timeouts


@pytest.mark.timeout(120)
def test_nothing_of_a_job_outlives_its_time_out() -> None:
    """All processes of a run are dead when it is TIMEOUT, also those that have left its session."""
    figures = timeouts(cycles=5, at_once=5)
    assert figures["statuses"] == {"TIMEOUT": 5}
    assert figures["survivors"] == 0, figures


@pytest.mark.timeout(120)
def test_jobs_die_with_their_worker() -> None:
    """A worker that is killed takes everything that its jobs have started with it."""
    figures = kills(cycles=3, workers=2, trees=2)
    assert figures["survivors"] == 0, figures


@pytest.mark.timeout(120)
def test_jobs_of_a_frozen_worker_die_before_others_start_them() -> None:
    """No job runs twice at the same time because its worker stands still, and nothing is taken from a thawed one."""
    figures = freezes(cycles=1)
    assert figures["attempts"] == 2
    assert figures["overlap_seconds_max"] == 0, figures
    assert figures["stale_reports_accepted"] == 0


@pytest.mark.timeout(120)
def test_cancelled_jobs_are_gone_when_it_is_said() -> None:
    """Every job ends as CANCELLED with nothing of it left."""
    figures = cancel(jobs=20)
    assert (figures["cancelled"], figures["processes_left"]) == (20, 0)


@pytest.mark.timeout(120)
def test_programs_complete_with_and_without_caps() -> None:
    """All runs of a program complete, whatever limits it has."""
    assert shell(runs=100, repeat=1)["runs"] == 100


@pytest.mark.timeout(120)
def test_lines_are_followed_without_loss() -> None:
    """Who follows a job that prints a lot sees every line, in order."""
    figures = lines(per_second=5000, seconds=1.0)
    assert (figures["followed"], figures["lost"], figures["in_order"]) == (5000, 0, True), figures


@pytest.mark.timeout(120)
def test_a_flood_costs_no_memory() -> None:
    """Output beyond the limit is counted and dropped, not held."""
    figures = flood(megabytes=256)
    assert figures["status"] == "COMPLETED"
    assert figures["memory_grew_mib"] < 64, figures


@pytest.mark.timeout(60)
def test_an_idle_worker_is_measured() -> None:
    """The memory and the wake-ups of all its processes are counted."""
    cost = idle(seconds=1.0)["worker"]
    assert cost["processes"] >= 1
    assert 1 < cost["memory_mib"] < 200
