"""Dramatiq on RabbitMQ. Durable: nothing but the message, which RabbitMQ writes to disk and is not asked to confirm.

No record of a job is kept anywhere: what it reaches is what moving messages costs. A message is acknowledged after its
job. Settings: eight threads in each of two processes, and eight that send in bulk. The end of a fan is counted in
Redis, as it has to be.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits.backends import RedisBackend

from benchmarks.peers.marks import mark
from benchmarks.peers.peer import CALLERS, WORKERS, Peer, setting, shares

_QUEUE = "peer"
_THREADS = 8

broker = RabbitmqBroker(url=setting("RABBITMQ"))
broker.add_middleware(GroupCallbacks(RedisBackend(url=setting("REDIS"))))
dramatiq.set_broker(broker)


def _step(index: int, *before: Any) -> None:
    mark(index)


no_op = dramatiq.actor(mark, actor_name="no_op", queue_name=_QUEUE)
step = dramatiq.actor(_step, actor_name="step", queue_name=_QUEUE)


class DramatiqPeer(Peer):
    """Its own program with two processes below it."""

    client_import = "import dramatiq, dramatiq.brokers.rabbitmq"

    def worker_commands(self) -> list[list[str]]:
        """One command for both."""
        module, threads = "benchmarks.peers.dramatiq_peer", str(_THREADS)
        command = [sys.executable, "-m", "dramatiq", module, "--processes", str(WORKERS), "--threads", threads]
        return [[*command, "--skip-logging"]]

    def create(self, index: int) -> None:
        """One message."""
        no_op.send(index)

    async def create_many(self, jobs: int) -> None:
        """By several threads, as there is no call for many."""
        with ThreadPoolExecutor(CALLERS) as pool:
            list(pool.map(self.create_share, shares(jobs, CALLERS)))

    async def start_chain(self, steps: int) -> None:
        """A pipeline; each worker sends the next one."""
        messages = [step.message_with_options(args=(index,), pipe_ignore=True) for index in range(steps)]
        dramatiq.pipeline(messages).run()

    async def start_fan(self, width: int) -> None:
        """A message sends the group, as nothing waits for one and then starts many."""
        fan.send(width)


def _fan(width: int) -> None:
    mark(0)
    group = dramatiq.group([step.message(index) for index in range(1, width + 1)])
    group.add_completion_callback(step.message(width + 1))
    group.run()


fan = dramatiq.actor(_fan, actor_name="fan", queue_name=_QUEUE)
THIS = DramatiqPeer
