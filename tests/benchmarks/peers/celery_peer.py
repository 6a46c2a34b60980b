"""Celery on RabbitMQ, in three ways of running it.

`celery` keeps results in PostgreSQL: durable is the row of a finished task, and the message, which RabbitMQ writes to
disk without being asked to confirm it. `celery-no-results` and `celery-beat` record nothing of a task. A message is
acknowledged before its task runs, as it is by default, so that a worker that dies loses the tasks it holds. Settings:
results with four children, no ping of pooled connections and a look at unfinished chords every tenth of a second, not
every second; without results two workers without children.
"""

import sys

from celery import Celery, chain, chord
from celery.schedules import crontab

from benchmarks.peers.due import due_at, due_time, scheduled_jobs
from benchmarks.peers.marks import mark, mark_due
from benchmarks.peers.peer import WORKERS, Finished, Peer, setting

_HAS_RESULTS = setting("SYSTEM") == "celery"
_DONE = "SELECT count(*), extract(epoch FROM max(date_done))::float8 FROM celery_taskmeta WHERE status = 'SUCCESS'"
_CHILDREN = 4
_PREFETCH = 64


def _results_url() -> str:
    return setting("POSTGRESQL").replace("postgresql://", "postgresql+psycopg://")


app = Celery(
    "peer", broker=setting("RABBITMQ"), backend=f"db+{_results_url()}" if _HAS_RESULTS else None, set_as_current=True
)
app.conf.update(
    task_ignore_result=not _HAS_RESULTS,
    worker_prefetch_multiplier=_PREFETCH,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    result_chord_retry_interval=0.1,
    database_engine_options={"pool_pre_ping": False},
    beat_schedule={
        f"job-{index}": {
            "task": "due",
            "schedule": crontab(minute=due_time().minute, hour=due_time().hour),
            "args": (index,),
        }
        for index in range(scheduled_jobs())
    },
)


def _step(index: int) -> int:
    mark(index)
    return index


def _end(done: list[int], index: int) -> int:
    mark(index)
    return len(done)


def _due(index: int) -> None:
    mark_due(index, due_at())


no_op = app.task(name="no_op")(mark)
step = app.task(name="step")(_step)
end = app.task(name="end")(_end)
due = app.task(name="due", ignore_result=True)(_due)


class CeleryPeer(Peer):
    """One worker with children where results are kept, else two without."""

    client_import = "from celery import Celery; Celery('x', broker='amqp://').amqp"

    def worker_commands(self) -> list[list[str]]:
        """Without the talk between workers that only costs here."""
        command = [*_celery("worker"), "--without-gossip", "--without-mingle"]
        if _HAS_RESULTS:
            return [[*command, "--pool", "prefork", "--concurrency", str(_CHILDREN)]]
        return [[*command, "--pool", "solo", "--hostname", f"worker{number}@%h"] for number in range(WORKERS)]

    def scheduler_commands(self) -> list[list[str]]:
        """Beat, which keeps its schedule in a file of the working directory."""
        return [_celery("beat")]

    def create(self, index: int) -> None:
        """One message."""
        no_op.apply_async((index,))

    async def finished(self) -> Finished | None:
        """By the rows of results; the table is made by the first of them."""
        if not _HAS_RESULTS:
            return None
        import psycopg

        with psycopg.connect(setting("POSTGRESQL")) as connection:
            count, last = connection.execute(_DONE).fetchone() or (0, None)
        return Finished(count, last or 0.0)

    async def start_chain(self, steps: int) -> None:
        """A canvas chain; each worker sends the next one."""
        chain(*[step.si(index) for index in range(steps)]).apply_async()

    async def start_fan(self, width: int) -> None:
        """One task, then a chord; its end is found by counting results."""
        chain(step.si(0), chord([step.si(index) for index in range(1, width + 1)], end.s(width + 1))).apply_async()


THIS = CeleryPeer


def _celery(*words: str) -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "benchmarks.peers.celery_peer", *words, "--loglevel", "WARNING"]
