"""Whether a recorded trace of starts keeps a limit: by key, at every moment and in every window."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

STARTS = """
SELECT parameters #>> '{kwargs,key}' AS key, started_at, completed_at AS ended_at
FROM scheduler.task_runs WHERE task_id = %(task_id)s AND started_at IS NOT NULL
UNION ALL
SELECT run.parameters #>> '{kwargs,key}', past.started_at, past.ended_at
FROM scheduler.task_run_attempts AS past JOIN scheduler.task_runs AS run ON run.id = past.run_id
WHERE run.task_id = %(task_id)s AND past.started_at IS NOT NULL
"""
"""Every attempt of a task's runs, past ones too, as the database has recorded it. No run may be PENDING any more."""


class Start(NamedTuple):
    """An attempt."""

    key: str
    started_at: datetime
    ended_at: datetime


def most_at_once(starts: Sequence[Start]) -> int:
    """The most attempts of one key that ran at the same moment; who ends when another starts has made room for it."""
    moments = sorted(
        [(start.ended_at, 0, start.key) for start in starts] + [(start.started_at, 1, start.key) for start in starts]
    )
    running: Counter[str] = Counter()
    most = 0
    for _, is_start, key in moments:
        running[key] += 1 if is_start else -1
        most = max(most, running[key])
    return most


def excess_starts(starts: Sequence[Start], rate: float, burst: int) -> int:
    """In how many windows more than burst + rate x T attempts of one key start."""
    excess = 0
    for key in {start.key for start in starts}:
        times = sorted(start.started_at for start in starts if start.key == key)
        for first, since in enumerate(times):
            for last in range(first, len(times)):
                seconds = (times[last] - since).total_seconds()
                # Instants are whole microseconds.
                excess += last - first + 1 > burst + rate * (seconds + 2e-6)
    return excess
