"""Whether a recorded trace of starts keeps a limit: by key, at every moment and in every window."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
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


def starts_of_lines(text: str, killed_at: Mapping[int, datetime]) -> list[Start]:
    """The attempts by the lines that their jobs wrote; one without an end ended when its process was killed.

    AssertionError for an attempt that has begun twice, or has no end and no kill.
    """
    begun: dict[tuple[str, str], tuple[str, int, datetime]] = {}
    ended: dict[tuple[str, str], datetime] = {}
    for line in text.splitlines():
        what, pid, run_id, attempt, key, seconds = line.split()
        moment = datetime.fromtimestamp(float(seconds), UTC)
        if what == "end":
            ended[run_id, attempt] = moment
            continue
        assert (run_id, attempt) not in begun, f"attempt {attempt} of run {run_id} has begun twice"
        begun[run_id, attempt] = key, int(pid), moment
    return [
        Start(key, moment, ended[attempt] if attempt in ended else killed_at[pid])
        for attempt, (key, pid, moment) in begun.items()
    ]


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
