"""The worker: one session after another until it is told to stop."""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from scheduler_core.errors import ConflictError, StoreUnavailableError
from scheduler_core.interfaces import Clock, MessageQueue, Store
from scheduler_core.models import DISPATCHERS, Lane
from scheduler_core.runtime.process_identity import ProcessIdentity
from scheduler_worker.backoff import Backoff
from scheduler_worker.executors.executor_registry import ExecutorRegistry
from scheduler_worker.heartbeat_service import HeartbeatService
from scheduler_worker.host_load import HostLoad
from scheduler_worker.own_resources import own_resources
from scheduler_worker.session import OpenedSession, new_session, open_session
from scheduler_worker.session_life import SessionEnd, SessionLife
from scheduler_worker.task_runner import TaskRunner, Traced
from scheduler_worker.version_cache import VersionCache
from scheduler_worker.worker_config import WorkerConfig
from scheduler_worker.worker_error import HeartbeatFailedError, NoExecutorError, RunsAsRootError
from scheduler_worker.worker_id import default_worker_id, own_queue

logger = logging.getLogger("scheduler.worker")


class WorkerService:
    """Takes runs, carries them out and reports them; a lost session is followed by a new one.

    `open_heartbeat_store` is awaited in the heartbeat's own thread and event loop.
    """

    def __init__(
        self,
        *,
        store: Store,
        queue: MessageQueue,
        open_heartbeat_store: Callable[[], Awaitable[Store]],
        executors: ExecutorRegistry,
        clock: Clock,
        config: WorkerConfig,
        traced: Traced | None = None,
    ) -> None:
        self._store = store
        self._queue = queue
        self._open_heartbeat_store = open_heartbeat_store
        self._executors = executors
        self._clock = clock
        self._config = config
        self._identity = ProcessIdentity.own()
        self._directory = _working_directory()
        self._worker_id = config.worker_id or default_worker_id(self._identity)
        # Beside those that it shares, a queue of its own, for runs that are meant for just this worker.
        self._queues = (*config.queues, own_queue(self._worker_id))
        self._runner = TaskRunner(executors.get, result_limit_bytes=config.result_limit_bytes, traced=traced)
        self._versions = VersionCache()
        self._present: SessionLife | None = None
        self._heartbeat: HeartbeatService | None = None

    def reconfigure(self, config: WorkerConfig) -> None:
        """Go by these settings, which differ in live ones only, in the present session and in later ones."""
        self._config = config
        if self._present is not None:
            self._present.reconfigure(config)

    def is_working(self) -> bool:
        """Whether the thread that keeps the lease goes on; a database that is away is no fault of this process."""
        return self._heartbeat is None or self._heartbeat.answers()

    async def run(self, ready: Callable[[str], None], stopping: asyncio.Event) -> None:
        """Work until `stopping`, then drain.

        Raises WorkerIdTakenError, NoExecutorError, and StoreUnavailableError when the database is away at the start;
        later the worker waits for it.
        """
        types = self._executors.task_types
        if not types:
            raise NoExecutorError
        opened = await self._open(types)
        ready(
            f"worker {self._worker_id} with {self._config.max_concurrent_tasks} places "
            f"for {', '.join(types)} from {_queues(self._config.queues)}"
        )
        while True:
            life = self._present = self._life(opened, types)
            end = await life.run(stopping)
            if end is SessionEnd.DRAINED or stopping.is_set():
                return
            types = self._executors.task_types
            reopened = await self._reopen(types, stopping)
            if reopened is None:
                return
            opened = reopened

    async def _open(self, types: Sequence[str]) -> OpenedSession:
        session = new_session(
            self._identity,
            worker_id=self._worker_id,
            queues=self._queues,
            task_types=tuple(types),
            places=self._config.max_concurrent_tasks,
            lease_seconds=self._config.lease_seconds,
            version=_own_version(),
            python_version=".".join(str(part) for part in sys.version_info[:3]),
            tags=tuple(sorted(set(self._config.tags))),
            resources={
                **own_resources(self._directory, processes=self._config.processes),
                **self._config.resource_amounts(),
            },
        )
        opened = await open_session(self._store, session, self._clock)
        logger.info("session opened", extra={"session_id": opened.id, "worker_id": self._worker_id})
        # Its places are room for runs that take turns.
        await self._queue.ring([DISPATCHERS])
        return opened

    async def _reopen(self, types: Sequence[str], stopping: asyncio.Event) -> OpenedSession | None:
        """A new session as soon as the database can be reached; None when the worker is to stop before."""
        backoff = Backoff()
        while not stopping.is_set():
            try:
                return await self._open(types)
            except (StoreUnavailableError, ConflictError) as error:
                logger.warning("no new session yet", extra={"reason": str(error)})
                await self._clock.sleep(backoff.next_seconds())
        return None

    def _life(self, opened: OpenedSession, types: Sequence[str]) -> SessionLife:
        opened.lease.follow(self._executors.lease_extended)

        def heartbeat(life: SessionLife) -> HeartbeatService:
            self._heartbeat = HeartbeatService(
                self._open_heartbeat_store,
                opened.id,
                opened.lease,
                self._clock,
                interval_seconds=self._config.heartbeat_interval_seconds,
                on_renewed=life.renewed,
                on_lost=life.lose,
                on_failed=lambda reason: life.fail(HeartbeatFailedError(reason)),
                kill_now=self._executors.kill_now,
                load=HostLoad(self._directory).look,
            )
            return self._heartbeat

        return SessionLife(
            opened.id,
            opened.lease,
            store=self._store,
            queue=self._queue,
            clock=self._clock,
            config=self._config,
            lanes=[Lane(queue, task_type) for queue in self._queues for task_type in types],
            runner=self._runner,
            versions=self._versions,
            heartbeat=heartbeat,
            kill_now=self._executors.kill_now,
        )


def check_user(config: WorkerConfig) -> None:
    """Return if the worker may run as this user; raises RunsAsRootError. Running as root on purpose is told."""
    if os.geteuid() != 0:
        return
    if not config.allow_root:
        raise RunsAsRootError
    logger.warning("The worker runs as root (worker.allow_root): every task can change anything on this machine.")


def _working_directory() -> Path:
    """Where the worker was started, by whose disk it goes; / when that has been removed since."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path("/")


def _queues(names: Sequence[str]) -> str:
    return f"queue{'' if len(names) == 1 else 's'} {', '.join(names)}"


def _own_version() -> str:
    try:
        return version("scheduler-worker")
    except PackageNotFoundError:
        return "0"
