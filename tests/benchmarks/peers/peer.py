"""What a measurement has to know of the system it measures; all of it runs in that system's own environment."""

import os
import sys
from typing import Any, NamedTuple

WORKERS = 2
"""Worker processes of every system."""

CALLERS = 8
"""Who create jobs one by one at the same time: coroutines where the system has them, else threads."""


class Finished(NamedTuple):
    """How many jobs the system's own record says are done, and when the last of them was, in seconds since 1970."""

    jobs: int
    at: float


class Peer:
    """One system; a file of this package has one subclass and says in its docstring what is durable there."""

    client_import = ""
    """What a program imports that creates jobs."""

    is_async = False
    """Whether creating a job is awaited."""

    async def prepare(self) -> None:
        """Make what has to be there before a worker starts, such as tables and queues."""

    def worker_commands(self) -> list[list[str]]:
        """How two worker processes, or what comes nearest, are started."""
        raise NotImplementedError

    def scheduler_commands(self) -> list[list[str]]:
        """What else has to run so that scheduled jobs are started."""
        return []

    async def connect(self) -> None:
        """Be ready to create jobs."""

    def create(self, index: int) -> Any:
        """Create one job that marks `index`; awaited when it can be."""
        raise NotImplementedError

    def create_share(self, share: range) -> None:
        """Create these one after another, for one of several threads."""
        for index in share:
            self.create(index)

    async def create_many(self, jobs: int) -> None:
        """Create jobs 0 to `jobs` in the quickest way that the system has; here one after another."""
        self.create_share(range(jobs))

    async def finished(self) -> Finished | None:
        """What the system has recorded of jobs that are done; None where it records nothing."""
        return None

    async def start_chain(self, steps: int) -> None:
        """Begin steps of which each waits for the one before; they mark 0, 1, and so on."""
        raise NotImplementedError

    async def start_fan(self, width: int) -> None:
        """Begin one job, then `width`, then one that waits for all of them; they mark 0, 1, and so on."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of connections."""


def shares(jobs: int, callers: int) -> list[range]:
    """Who of several callers creates which jobs."""
    return [range(caller, jobs, callers) for caller in range(callers)]


def setting(name: str) -> str:
    """What the project's side says about this measurement: PEER_SYSTEM, PEER_WORKLOAD, and the URLs of the servers."""
    return os.environ[f"PEER_{name}"]


def this_module(name: str, *arguments: str) -> list[str]:
    """The command that runs a module of this package in this environment."""
    return [sys.executable, "-m", f"benchmarks.peers.{name}", *arguments]
