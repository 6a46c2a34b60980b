"""Procrastinate on psycopg. Durable: that a job was created, started and done, each as an event; rows of jobs are kept.

Settings: ten jobs at once in each process (fifty are no quicker), a pool with a connection for each caller.
"""

import asyncio

import procrastinate
import psycopg

from benchmarks.peers.due import due_at, due_time, scheduled_jobs
from benchmarks.peers.marks import mark, mark_due
from benchmarks.peers.peer import CALLERS, WORKERS, Finished, Peer, setting, this_module

_AT_ONCE = 10
_BULK = 1000
_DONE = """
SELECT (SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'), extract(epoch FROM max(at))::float8
FROM procrastinate_events WHERE type = 'succeeded'
"""


def _app() -> procrastinate.App:
    return procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=setting("POSTGRESQL"), max_size=CALLERS))


app = _app()


async def _no_op(index: int) -> None:
    mark(index)


async def _due(timestamp: int, index: int) -> None:
    mark_due(index, due_at())


no_op = app.task(name="no_op")(_no_op)
due = app.task(name="due")(_due)
for _index in range(scheduled_jobs()):
    _cron = f"{due_time().minute} {due_time().hour} * * *"
    app.periodic(cron=_cron, periodic_id=str(_index), task_kwargs={"index": _index})(due)


class ProcrastinatePeer(Peer):
    """Two workers."""

    client_import = "import procrastinate"
    is_async = True

    async def prepare(self) -> None:
        """Its tables."""
        making = _app()
        async with making.open_async():
            await making.schema_manager.apply_schema_async()

    def worker_commands(self) -> list[list[str]]:
        """Both watch the schedules, too."""
        return [this_module("procrastinate_peer")] * WORKERS

    async def connect(self) -> None:
        """The pool."""
        await app.open_async()

    async def create(self, index: int) -> None:
        """One call of its function in the database."""
        await no_op.defer_async(index=index)

    async def create_many(self, jobs: int) -> None:
        """A thousand a call."""
        for start in range(0, jobs, _BULK):
            await no_op.batch_defer_async(*[{"index": index} for index in range(start, min(jobs, start + _BULK))])

    async def finished(self) -> Finished:
        """By jobs that succeeded, and the last event of that kind."""
        with psycopg.connect(setting("POSTGRESQL")) as connection:
            count, last = connection.execute(_DONE).fetchone() or (0, None)
        return Finished(count, last or 0.0)

    async def close(self) -> None:
        """The pool's connections."""
        await app.close_async()


THIS = ProcrastinatePeer


async def _work() -> None:
    async with app.open_async():
        await app.run_worker_async(concurrency=_AT_ONCE)


if __name__ == "__main__":
    asyncio.run(_work())
