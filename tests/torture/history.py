"""Reads from a system at rest what the checker judges: its rows, and the lines of its jobs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psycopg

from fixtures.recorded_history import AttemptRow, Call, Cancel, Due, History, Line, RunRow, SessionRow, SlotRow

_RUNS = """
SELECT id, task_id, status, attempt, failures, losses, hand_backs, max_retries, session_id,
       extract(epoch FROM started_at)::float8, extract(epoch FROM completed_at)::float8, needs_settlement,
       CASE WHEN trigger = 'SCHEDULE' AND interval_to IS NOT NULL AND group_id IS NULL
            THEN extract(epoch FROM scheduled_at)::float8 END,
       CASE WHEN group_id IS NULL
            THEN coalesce(parameters #>> '{kwargs,key}', parameters #>> '{values,key}') END,
       (result ->> 'attempt')::integer,
       group_size IS NULL AND task_type IN ('python', 'shell')
FROM scheduler.task_runs
"""
_ATTEMPTS = """
SELECT run_id, attempt, session_id, extract(epoch FROM started_at)::float8, extract(epoch FROM ended_at)::float8,
       outcome
FROM scheduler.task_run_attempts
"""
_SESSIONS = """
SELECT id, pid, state, extract(epoch FROM started_at)::float8, extract(epoch FROM ended_at)::float8
FROM scheduler.worker_sessions
"""
_SLOTS = """
SELECT task_id, extract(epoch FROM scheduled_at)::float8, extract(epoch FROM last_scheduled_at)::float8, count, run_id
FROM scheduler.slots
"""


def read_history(
    url: str,
    lines: Path,
    *,
    calls: Iterable[Call] = (),
    cancels: Iterable[Cancel] = (),
    due: Sequence[Due] = (),
    killed_at: Mapping[int, float] | None = None,
) -> History:
    """Everything that is known of a system; jobs that were killed with their process ended at that moment."""
    with psycopg.connect(url, autocommit=True) as connection:

        def rows(statement: str) -> list[tuple[object, ...]]:
            return connection.execute(statement.encode()).fetchall()

        return History(
            calls=list(calls),
            cancels=list(cancels),
            lines=parse_lines(lines.read_text(), killed_at or {}),
            runs=[RunRow(*row) for row in rows(_RUNS)],  # type: ignore[arg-type]
            attempts=[AttemptRow(*row) for row in rows(_ATTEMPTS)],  # type: ignore[arg-type]
            sessions=[SessionRow(*row) for row in rows(_SESSIONS)],  # type: ignore[arg-type]
            slots=[SlotRow(*row) for row in rows(_SLOTS)],  # type: ignore[arg-type]
            due=due,
        )


def parse_lines(text: str, killed_at: Mapping[int, float]) -> list[Line]:
    """The starts that jobs wrote down, with their ends.

    That is what they wrote, or else the last moment at which they were there, which those with processes of their own
    write; for all others it is the end of their worker.
    """
    begun: list[Line] = []
    ended: dict[tuple[int, int, int], float] = {}
    alive: dict[tuple[int, int, int], float] = {}
    for line in text.splitlines():
        what, pid, run_id, attempt, seconds = line.split()
        key = int(run_id), int(attempt), int(pid)
        if what == "begin":
            begun.append(Line(*key, float(seconds)))
        else:
            (ended if what == "end" else alive)[key] = float(seconds)

    def end_of(line: Line) -> float | None:
        key = line.run_id, line.attempt, line.pid
        killed = killed_at.get(line.pid, -math.inf)
        # Numbers of processes come again.
        return ended.get(key, alive.get(key, killed if killed >= line.began_at else None))

    return [line._replace(ended_at=end_of(line)) for line in begun]
