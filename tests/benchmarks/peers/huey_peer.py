"""Huey on Redis. Durable: nothing; a job is taken off a list before it runs, and results are not kept.

It is what a process that takes numbers off a list in memory reaches. Settings: two worker processes.
"""

import sys

from huey import RedisHuey

from benchmarks.peers.marks import mark
from benchmarks.peers.peer import WORKERS, Peer, setting

queue = RedisHuey("peer", url=setting("REDIS"), results=False)
no_op = queue.task(name="no_op")(mark)


class HueyPeer(Peer):
    """Its consumer with two processes below it."""

    client_import = "import huey"

    def worker_commands(self) -> list[list[str]]:
        """One command for both."""
        module = "benchmarks.peers.huey_peer.queue"
        return [
            [sys.executable, "-m", "huey.bin.huey_consumer", module, "-w", str(WORKERS), "-k", "process", "--quiet"]
        ]

    def create(self, index: int) -> None:
        """One element of the list."""
        no_op(index)


THIS = HueyPeer
