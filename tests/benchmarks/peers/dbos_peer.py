"""DBOS on PostgreSQL. Durable: that a workflow was created, started and done, and the result of each of its steps.

Nothing wakes a worker: it looks at its queue every so often. Settings: 10 ms instead of the default of one second,
which W5 keeps, as it is what idles; bulk creation in transactions of five hundred.
"""

import time

import psycopg
import sqlalchemy
from dbos import DBOS, DBOSClient

from benchmarks.peers.catalogue import W5_IDLE
from benchmarks.peers.marks import mark
from benchmarks.peers.peer import WORKERS, Finished, Peer, setting, this_module

_QUEUE = "peer"
_BULK = 500
_LOOK_SECONDS = 1.0 if setting("WORKLOAD") == W5_IDLE else 0.01
_DONE = """
SELECT count(*), (max(completed_at) / 1000.0)::float8 FROM dbos.workflow_status
WHERE status = 'SUCCESS' AND queue_name = %s
"""


def _url() -> str:
    return setting("POSTGRESQL").replace("postgresql://", "postgresql+psycopg://")


class DbosPeer(Peer):
    """Two processes that run workflows in threads."""

    client_import = "from dbos import DBOSClient"

    async def prepare(self) -> None:
        """Its tables."""
        from dbos import run_dbos_database_migrations

        run_dbos_database_migrations(_url())

    def worker_commands(self) -> list[list[str]]:
        """Each with a name of its own."""
        return [this_module("dbos_peer", f"worker-{number}") for number in range(WORKERS)]

    async def connect(self) -> None:
        """A client, which knows workflows by name; and a connection for bulk creation."""
        self._client = DBOSClient(system_database_url=_url())
        self._engine = sqlalchemy.create_engine(_url())

    def create(self, index: int) -> None:
        """One transaction."""
        self._client.enqueue(_options("no_op"), index)

    async def create_many(self, jobs: int) -> None:
        """Some hundreds a transaction."""
        for start in range(0, jobs, _BULK):
            with self._engine.begin() as connection:
                for index in range(start, min(jobs, start + _BULK)):
                    self._client.enqueue_in_transaction(connection, _options("no_op"), index)

    async def finished(self) -> Finished:
        """By the rows of workflows."""
        with psycopg.connect(setting("POSTGRESQL")) as connection:
            count, last = connection.execute(_DONE, [_QUEUE]).fetchone() or (0, None)
        return Finished(count, last or 0.0)

    async def start_chain(self, steps: int) -> None:
        """A workflow whose steps run in one process."""
        self._client.enqueue(_options("chain"), steps)

    async def start_fan(self, width: int) -> None:
        """A workflow that puts many into the queue and waits for their results."""
        self._client.enqueue(_options("fan"), width)

    async def close(self) -> None:
        """The connections."""
        self._client.destroy()
        self._engine.dispose()


THIS = DbosPeer


def _options(workflow: str) -> dict[str, str]:
    return {"workflow_name": workflow, "queue_name": _QUEUE, "app_version": "1"}


def _work(name: str) -> None:
    DBOS(
        config={
            "name": "peer",
            "system_database_url": _url(),
            "log_level": "ERROR",
            "console_log_level": "ERROR",
            "application_version": "1",
            "executor_id": name,
        }
    )
    DBOS.workflow(name="no_op")(mark)
    step = DBOS.step(name="step")(mark)
    child = DBOS.workflow(name="child")(lambda index: mark(index))

    def chain(steps: int) -> None:
        for index in range(steps):
            step(index)

    def fan(width: int) -> None:
        step(0)
        handles = [DBOS.enqueue_workflow(_QUEUE, child, index) for index in range(1, width + 1)]
        for handle in handles:
            handle.get_result(polling_interval_sec=_LOOK_SECONDS)
        step(width + 1)

    DBOS.workflow(name="chain")(chain)
    DBOS.workflow(name="fan")(fan)
    DBOS.launch()
    DBOS.register_queue(_QUEUE, polling_interval_sec=_LOOK_SECONDS)
    while True:
        time.sleep(1)


if __name__ == "__main__":
    import sys

    _work(sys.argv[1])
