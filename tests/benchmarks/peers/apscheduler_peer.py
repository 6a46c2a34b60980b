"""APScheduler in one process. Durable: nothing; the schedules and what has run are in its memory.

No second process could take part: it is what a Python program that calls a function at a time reaches.
"""

import time

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from benchmarks.peers.due import due_at, due_time, scheduled_jobs
from benchmarks.peers.marks import mark_due
from benchmarks.peers.peer import Peer, this_module

_THREADS = 10


class ApSchedulerPeer(Peer):
    """The scheduler is the worker."""

    def worker_commands(self) -> list[list[str]]:
        """One."""
        return [this_module("apscheduler_peer")]


THIS = ApSchedulerPeer


def _work() -> None:
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(_THREADS)},
        job_defaults={"misfire_grace_time": 60, "coalesce": True},
        timezone="UTC",
    )
    scheduler.start(paused=True)
    for index in range(scheduled_jobs()):
        at = due_time()
        scheduler.add_job(mark_due, "cron", minute=at.minute, hour=at.hour, args=(index, due_at()))
    scheduler.resume()
    while True:
        time.sleep(1)


if __name__ == "__main__":
    _work()
