"""What the worker counts, in batches; exported where observability is configured."""

from collections import Counter
from collections.abc import Sequence

from opentelemetry import metrics

from scheduler_core.models import RunChange

_meter = metrics.get_meter("scheduler.worker")
_claimed = _meter.create_counter("scheduler_worker_runs_claimed", description="Runs taken by this process")
_finished = _meter.create_counter("scheduler_worker_runs_reported", description="Reports accepted, by status")
_stale = _meter.create_counter("stale_write", description="Reports refused because somebody else has the run")
_lost = _meter.create_counter("scheduler_worker_sessions_lost", description="Sessions of this process that were lost")


def count_claimed(runs: int) -> None:
    """Runs have been claimed."""
    _claimed.add(runs)


def count_finished(changes: Sequence[RunChange]) -> None:
    """Reports have been accepted."""
    for status, runs in Counter(change.status for change in changes).items():
        _finished.add(runs, {"status": status.value})


def count_stale(runs: int) -> None:
    """Reports have changed nothing."""
    _stale.add(runs)


def count_lost_session() -> None:
    """A session is over before its time."""
    _lost.add(1)
