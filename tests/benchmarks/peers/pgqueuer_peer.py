"""PgQueuer on asyncpg. Durable: that a job was created, picked and done, each as a row of its log, none dropped here.

The row of a done job is written up to a tenth of a second after it, with those of others: that much is done again after
a crash. Settings: a hundred are picked at a time, single calls have a connection for each caller.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.queries import Queries

from benchmarks.peers.due import due_at, due_time, scheduled_jobs
from benchmarks.peers.marks import mark, mark_due
from benchmarks.peers.peer import CALLERS, WORKERS, Finished, Peer, setting, this_module

_BULK = 1000
_AT_ONCE = 100
_DONE = "SELECT count(*), extract(epoch FROM max(created))::float8 FROM pgqueuer_log WHERE status = 'successful'"


class PgQueuerPeer(Peer):
    """Two processes of one queue manager each."""

    client_import = "import asyncpg, pgqueuer.queries"
    is_async = True

    async def prepare(self) -> None:
        """Its tables."""
        connection = await asyncpg.connect(setting("POSTGRESQL"))
        await Queries(AsyncpgDriver(connection)).install()
        await connection.close()

    def worker_commands(self) -> list[list[str]]:
        """Schedules run in the process that watches them; a second one would take half of them, which is no gain."""
        return [this_module("pgqueuer_peer")] * (1 if scheduled_jobs() else WORKERS)

    async def connect(self) -> None:
        """A pool for all callers."""
        self._pool = await asyncpg.create_pool(setting("POSTGRESQL"), min_size=1, max_size=CALLERS)
        self._queries = Queries(AsyncpgPoolDriver(self._pool))

    def create(self, index: int) -> Any:
        """One INSERT."""
        return self._queries.enqueue("no_op", str(index).encode())

    async def create_many(self, jobs: int) -> None:
        """A thousand an INSERT."""
        for start in range(0, jobs, _BULK):
            payloads: list[bytes | None] = [str(index).encode() for index in range(start, min(jobs, start + _BULK))]
            await self._queries.enqueue(["no_op"] * len(payloads), payloads, [0] * len(payloads))

    async def finished(self) -> Finished:
        """By its log."""
        count, last = await self._pool.fetchrow(_DONE)
        return Finished(count, last or 0.0)

    async def close(self) -> None:
        """The pool's connections."""
        await self._pool.close()


THIS = PgQueuerPeer


async def _work() -> None:
    queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(setting("POSTGRESQL"))))

    async def no_op(job: Any) -> None:
        mark(int(job.payload))

    queue.entrypoint("no_op")(no_op)
    for index in range(scheduled_jobs()):
        queue.schedule(f"job-{index}", f"{due_time().minute} {due_time().hour} * * *")(_scheduled(index))
    await queue.run(batch_size=_AT_ONCE, dequeue_timeout=timedelta(seconds=5))


def _scheduled(index: int) -> Callable[[Any], Any]:
    async def begin(schedule: Any) -> None:
        mark_due(index, due_at())

    return begin


if __name__ == "__main__":
    asyncio.run(_work())
