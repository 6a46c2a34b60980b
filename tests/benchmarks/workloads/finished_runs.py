"""A past: millions of runs that have ended, written by SQL as the system itself would have left them."""

import sys
import time

import psycopg

from benchmarks.workloads.bench_system import NO_OP, BenchSystem

_TASKS = 100
_BATCH = 500_000
_DAYS = 30

_OWN = (
    "id", "task_id", "task_version_id", "flow_id", "scheduled_at", "not_before", "created_at", "started_at",
    "completed_at", "claim_at", "trigger", "interval_from", "interval_to",
)  # fmt: skip
"""What differs from run to run; all other columns are those of a run that has really been."""

_OTHERS = "SELECT attname FROM pg_attribute WHERE attrelid = 'scheduler.task_runs'::regclass AND attnum > 0"

_FILL = """
WITH numbered AS (
    SELECT nextval('scheduler.task_runs_id_seq') AS id, 1 + number %% cardinality(%(task_ids)s::bigint[]) AS place,
           clock_timestamp() - interval '{days} days' * (1 - number::float / %(runs)s) - interval '1 hour' AS at,
           CASE WHEN number / cardinality(%(task_ids)s::bigint[]) %% 2 = 0 THEN 'SCHEDULE' ELSE 'MANUAL' END AS trigger
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS number
), made AS (
    INSERT INTO scheduler.task_runs ({own}, {others})
    SELECT numbered.id, (%(task_ids)s::bigint[])[place], (%(version_ids)s::bigint[])[place], numbered.id, at, at, at,
           at + interval '4 ms', at + interval '6 ms', at + (sample.claim_at - sample.scheduled_at),
           numbered.trigger, CASE WHEN numbered.trigger = 'SCHEDULE' THEN at - interval '5 minutes' END,
           CASE WHEN numbered.trigger = 'SCHEDULE' THEN at END, {samples}
    FROM numbered
    CROSS JOIN (SELECT * FROM scheduler.task_runs WHERE id = %(sample)s) AS sample
    RETURNING id, task_id, scheduled_at, trigger
)
INSERT INTO scheduler.slots (task_id, scheduled_at, shard_index, last_scheduled_at, count, run_id)
SELECT task_id, scheduled_at, 0, scheduled_at, 1, id FROM made WHERE trigger = 'SCHEDULE'
"""


def fill(bench: BenchSystem, runs: int) -> None:
    """Add so many completed runs of a hundred tasks over the last thirty days, half of them with a slot, analyzed."""
    if not runs:
        return
    names = [f"past-{number:02d}" for number in range(_TASKS)]
    tasks = [{"name": name, "task_type": "python", "parameters": {"callable": NO_OP}} for name in names]
    answer = bench.processes.request("POST", "/api/v1/tasks/apply", {"tasks": tasks})
    assert answer.status == 200, answer
    (sample,) = bench.trigger(names[0], 1)
    bench.processes.wait_for_run(sample)
    found = bench.system.rows(
        "SELECT id, task_version_id FROM scheduler.tasks WHERE name = ANY(%(names)s)", names=names
    )
    others = [name for (name,) in bench.system.rows(f"{_OTHERS} AND NOT attisdropped") if name not in _OWN]
    statement = _FILL.format(
        days=_DAYS,
        own=", ".join(_OWN),
        others=", ".join(others),
        samples=", ".join(f"sample.{name}" for name in others),
    )
    parameters = {"task_ids": [row[0] for row in found], "version_ids": [row[1] for row in found]}
    began = time.monotonic()
    with psycopg.connect(bench.url, autocommit=True) as connection:
        for first in range(0, runs, _BATCH):
            last = min(first + _BATCH, runs) - 1
            connection.execute(
                statement.encode(), {**parameters, "runs": runs, "first": first, "last": last, "sample": sample}
            )
            written, seconds = last + 1, time.monotonic() - began
            print(f"  {written:,} of {runs:,} finished runs after {seconds:.0f} s", file=sys.stderr, flush=True)
    # As autovacuum leaves a table that has grown for a month: else it would do so while others measure.
    bench.system.execute("VACUUM ANALYZE scheduler.task_runs", "VACUUM ANALYZE scheduler.slots", "CHECKPOINT")
