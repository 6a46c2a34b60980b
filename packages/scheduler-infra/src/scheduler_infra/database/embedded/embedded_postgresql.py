"""The embedded PostgreSQL from start to stop."""

import asyncio
import contextlib
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from scheduler_core.errors import ComponentFailedError
from scheduler_infra.database.embedded.cluster_layout import DATABASE, ClusterLayout
from scheduler_infra.database.embedded.connection_file import ConnectionFile
from scheduler_infra.database.embedded.data_directory import read_password
from scheduler_infra.database.embedded.postgresql_binaries import PostgresqlBinaries
from scheduler_infra.database.embedded.postmaster import Postmaster, find_postmaster
from scheduler_infra.database.embedded.preparation import (
    ServerPlan,
    prepare_cluster,
    prepare_launch,
    prepare_layout,
    unusable,
)
from scheduler_infra.database.embedded.server_log import last_lines, prune_log
from scheduler_infra.database.embedded.server_probe import (
    ServerAnswer,
    WrongPasswordError,
    ask_server,
    ensure_database,
    server_url,
)
from scheduler_infra.database.embedded.server_process import ServerProcess
from scheduler_infra.database.embedded.socket_directory import remove_socket_dir
from scheduler_infra.database.embedded.start_lock import StartLock

START_SECONDS = 600.0
"""How long a start may take: replaying the log after a crash is bounded by max_wal_size, on a slow disk not by much."""

FAST_STOP_SECONDS = 60.0
IMMEDIATE_STOP_SECONDS = 15.0

_POLL_SECONDS = 0.03
_PROGRESS_SECONDS = 10.0
_LOG_LOOK_SECONDS = 600.0

_log = structlog.stdlib.get_logger(__name__)


class EmbeddedPostgresql:
    """A PostgreSQL server for one state directory, to be started and stopped once.

    The first process to start it owns it: it makes the data directory, runs the server as a child in a process session
    of its own, and stops it. A later one attaches through the connection file and never stops it. When an owner was
    killed, the server goes on serving whoever is connected, and the next process that starts it becomes its owner.
    """

    def __init__(
        self, state_dir: Path, *, start_seconds: float = START_SECONDS, stop_seconds: float = FAST_STOP_SECONDS
    ) -> None:
        self._state_dir = state_dir
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._layout: ClusterLayout | None = None
        self._lock: StartLock | None = None
        self._process: ServerProcess | None = None
        self._connection: ConnectionFile | None = None
        self._is_owner = False

    @property
    def url(self) -> str:
        """The libpq URL, with the password; only after the start."""
        return self._running().url

    @property
    def version(self) -> str:
        """The server's version, such as 18.6; only after the start."""
        return self._running().version

    @property
    def pid(self) -> int:
        """The server's process id; only after the start."""
        return self._running().postmaster.pid

    @property
    def data_dir(self) -> Path:
        """Where the data is; only after the start."""
        return Path(self._running().data_dir)

    @property
    def is_owner(self) -> bool:
        """Whether this process stops the server; False when another one runs it and this one is attached."""
        return self._is_owner

    async def start(self) -> None:
        """Return once the server answers, started, adopted from an owner that was killed, or attached to.

        Raises ConfigError when the state directory, the account or the data cannot be used, and ComponentFailedError
        with the last lines of its log when the server does not start. Cancelling stops what was started.
        """
        if self._connection is not None:
            raise RuntimeError("EmbeddedPostgresql was started already")
        try:
            async with asyncio.timeout(self._start_seconds):
                await self._start()
        except TimeoutError:
            await self._abandon()
            raise ComponentFailedError(
                "postgresql", f"it did not answer within {self._start_seconds:g} s.{self._last_words()}"
            ) from None
        except BaseException:
            await self._abandon()
            raise

    async def stop(self) -> None:
        """Stop the server if this process owns it: open transactions are rolled back, everything committed is kept.

        Raises ComponentFailedError when it is still there after a fast and an immediate stop. May be called again.
        """
        process, connection = self._process, self._connection
        self._process = self._connection = None
        try:
            if self._is_owner and process is not None:
                if self._layout is not None:
                    # First, so that nobody finds a server that is about to go.
                    self._layout.connection_file.unlink(missing_ok=True)
                await self._stop_process(process)
                if self._layout is not None and connection is not None:
                    remove_socket_dir(Path(connection.socket_dir), self._layout.run_dir)
        finally:
            self._release()

    async def wait_failed(self) -> None:
        """Wait until the server has ended although this process did not stop it, and raise ComponentFailedError.

        Keeps the server's log small meanwhile. Never returns.
        """
        process = self._process
        if process is None or self._layout is None:
            raise RuntimeError("EmbeddedPostgresql is not running")
        while not await process.ended_within(_LOG_LOOK_SECONDS):
            if self._is_owner:
                prune_log(self._layout.log_dir)
        what = "the server" if self._is_owner else "the server, which another process runs,"
        raise ComponentFailedError(
            "postgresql", f"{what} {process.how_it_ended()} without being asked to.{self._last_words()}"
        )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _start(self) -> None:
        self._layout = layout = await asyncio.to_thread(prepare_layout, self._state_dir)
        self._lock = StartLock(layout.lock_file)
        while not _acquire(self._lock, layout):
            # Another process is starting or running it; if it dies while we wait, the lock is ours.
            if await self._attach(layout):
                return
            await asyncio.sleep(_POLL_SECONDS)
        self._is_owner = True
        plan = await asyncio.to_thread(prepare_cluster, layout)
        if not await self._adopt(layout, plan):
            await self._launch(layout, plan)

    async def _attach(self, layout: ClusterLayout) -> bool:
        found = ConnectionFile.read(layout.connection_file)
        if found is None or not found.postmaster.is_alive():
            return False
        try:
            if await ask_server(found.url) is None:
                return False
        except WrongPasswordError:  # the owner is just replacing the file
            return False
        self._process, self._connection = ServerProcess(found.postmaster), found
        _log.info("attached to PostgreSQL", pid=found.postmaster.pid, run_by_pid=StartLock(layout.lock_file).holder())
        return True

    async def _adopt(self, layout: ClusterLayout, plan: ServerPlan) -> bool:
        """Take over the server that a killed owner left, if it can serve as ours; otherwise stop it."""
        left = find_postmaster(layout.data_dir)
        if left is None:
            return False
        _log.info("found a running PostgreSQL without an owner", pid=left.identity.pid)
        process = self._process = ServerProcess(left.identity)
        password = read_password(layout)
        while process.is_alive() and password is not None:
            left = find_postmaster(layout.data_dir) or left
            if left.socket_dir is not None:
                if not left.socket_dir.is_dir():
                    break  # the state directory was renamed under it: nobody can reach it any more
                try:
                    answer = await ask_server(server_url(left.socket_dir, password, "postgres"))
                except WrongPasswordError:
                    break  # the kept password is not its password
                if answer is not None:
                    if not _is_ours(answer, left, layout, plan.binaries):
                        break
                    await self._serve(layout, left.socket_dir, password, answer)
                    return True
            # It is recovering, or on its way down.
            await asyncio.sleep(_POLL_SECONDS)
        await self._stop_process(process)
        self._process = None
        return False

    async def _launch(self, layout: ClusterLayout, plan: ServerPlan) -> None:
        socket_dir, password = await asyncio.to_thread(prepare_launch, layout, plan)
        process = self._process = ServerProcess.launch(
            plan.binaries, plan.account, layout.data_dir, layout.settings_file, layout.start_log
        )
        url = server_url(socket_dir, password, "postgres")
        loop = asyncio.get_running_loop()
        began = told = loop.time()
        while (answer := await self._asked(url, layout)) is None:
            if not process.is_alive():
                if await self._adopt(layout, plan):
                    # An owner was killed just before its server had written its pid.
                    return
                raise ComponentFailedError("postgresql", f"the server {process.how_it_ended()}.{self._last_words()}")
            if loop.time() - told > _PROGRESS_SECONDS:
                told = loop.time()
                _log.info("waiting for PostgreSQL, which may be recovering", seconds=round(told - began))
            await asyncio.sleep(_POLL_SECONDS)
        await self._serve(layout, socket_dir, password, answer)

    async def _asked(self, url: str, layout: ClusterLayout) -> ServerAnswer | None:
        try:
            return await ask_server(url)
        except WrongPasswordError:
            raise ComponentFailedError(
                "postgresql",
                f"{layout.password_file} does not hold the server's password. Remove that file and start again: a new "
                "password is made then.",
            ) from None

    async def _serve(self, layout: ClusterLayout, socket_dir: Path, password: str, answer: ServerAnswer) -> None:
        process = self._process
        if process is None:
            raise RuntimeError("there is no server process")
        await ensure_database(server_url(socket_dir, password, "postgres"))
        self._connection = ConnectionFile(
            url=server_url(socket_dir, password, DATABASE),
            postmaster=process.identity,
            data_dir=str(layout.data_dir),
            socket_dir=str(socket_dir),
            version=answer.version,
        )
        try:
            self._connection.write(layout.connection_file)
        except OSError as error:
            raise unusable(layout.connection_file, error) from error

    async def _stop_process(self, process: ServerProcess) -> None:
        try:
            process.send_signal(signal.SIGINT)
            if await process.ended_within(self._stop_seconds):
                return
            _log.warning("PostgreSQL did not stop in time and is stopped at once", seconds=self._stop_seconds)
            process.send_signal(signal.SIGQUIT)
            if await process.ended_within(IMMEDIATE_STOP_SECONDS):
                return
        except asyncio.CancelledError:
            # It was told to stop and does so by itself; give a child the moment to be collected.
            with contextlib.suppress(asyncio.CancelledError):
                await process.ended_within(1.0)
            raise
        raise ComponentFailedError(
            "postgresql",
            f"the server (process {process.identity.pid}) did not stop. Look at its log below {self._state_dir}; "
            "the next start takes it over.",
        )

    async def _abandon(self) -> None:
        process, self._process, self._connection = self._process, None, None
        try:
            if self._is_owner and process is not None and process.is_alive():
                with contextlib.suppress(ComponentFailedError):
                    await self._stop_process(process)
        finally:
            self._release()

    def _release(self) -> None:
        self._is_owner = False
        if self._lock is not None:
            self._lock.release()

    def _running(self) -> ConnectionFile:
        if self._connection is None:
            raise RuntimeError("EmbeddedPostgresql is not running")
        return self._connection

    def _last_words(self) -> str:
        if self._layout is None:
            return ""
        lines = last_lines(self._layout.start_log, self._layout.log_dir)
        return f" Its last lines (all are in {self._layout.log_dir}):\n{lines}" if lines else ""


def _acquire(lock: StartLock, layout: ClusterLayout) -> bool:
    try:
        return lock.acquire()
    except OSError as error:
        raise unusable(layout.lock_file, error) from error


def _is_ours(answer: ServerAnswer, left: Postmaster, layout: ClusterLayout, binaries: PostgresqlBinaries) -> bool:
    # An older minor version is replaced by the one that is installed now.
    return (
        answer.data_dir == str(layout.data_dir)
        and abs(answer.started_at - left.started_at) <= 60
        and answer.version.split()[0] == binaries.version
    )
