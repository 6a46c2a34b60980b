"""The embedded PostgreSQL from start to stop."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote

import structlog

from scheduler_core.config.state_dir import prepare_state_dir, untraversable_parent
from scheduler_core.errors import ComponentFailedError, ConfigError
from scheduler_infra.database.embedded.cluster_layout import DATABASE, PORT, USER, ClusterLayout
from scheduler_infra.database.embedded.connection_file import ConnectionFile
from scheduler_infra.database.embedded.data_directory import (
    ClusterState,
    check_owner,
    cluster_state,
    create_cluster,
    read_password,
    reset_password,
)
from scheduler_infra.database.embedded.postgresql_binaries import PostgresqlBinaries, binaries_for
from scheduler_infra.database.embedded.postmaster import Postmaster, find_postmaster, forget_reused_pid
from scheduler_infra.database.embedded.server_account import ServerAccount, server_account
from scheduler_infra.database.embedded.server_log import last_lines, prune_log
from scheduler_infra.database.embedded.server_process import ServerProcess
from scheduler_infra.database.embedded.server_settings import available_memory_bytes, settings_text
from scheduler_infra.database.embedded.socket_directory import prepare_socket_dir, remove_socket_dir
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
        self._layout = layout = await asyncio.to_thread(_prepared_layout, self._state_dir)
        self._lock = StartLock(layout.lock_file)
        while not _acquire(self._lock, layout):
            # Another process is starting or running it; if it dies while we wait, the lock is ours.
            if await self._attach(layout):
                return
            await asyncio.sleep(_POLL_SECONDS)
        self._is_owner = True
        plan = await asyncio.to_thread(_prepare, layout)
        if not await self._adopt(layout, plan):
            await self._launch(layout, plan)

    async def _attach(self, layout: ClusterLayout) -> bool:
        found = ConnectionFile.read(layout.connection_file)
        if found is None or not found.postmaster.is_alive() or await _answer(found.url) is None:
            return False
        self._process, self._connection = ServerProcess(found.postmaster), found
        _log.info("attached to PostgreSQL", pid=found.postmaster.pid, run_by_pid=StartLock(layout.lock_file).holder())
        return True

    async def _adopt(self, layout: ClusterLayout, plan: "_Plan") -> bool:
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
                    answer = await _answer(_url(left.socket_dir, password, "postgres"))
                except ConfigError:
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

    async def _launch(self, layout: ClusterLayout, plan: "_Plan") -> None:
        socket_dir, password = await asyncio.to_thread(_prepare_launch, layout, plan)
        process = self._process = ServerProcess.launch(
            plan.binaries, plan.account, layout.data_dir, layout.settings_file, layout.start_log
        )
        url = _url(socket_dir, password, "postgres")
        loop = asyncio.get_running_loop()
        began = told = loop.time()
        while (answer := await _answer(url)) is None:
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

    async def _serve(self, layout: ClusterLayout, socket_dir: Path, password: str, answer: "_Answer") -> None:
        process = self._process
        if process is None:
            raise RuntimeError("there is no server process")
        await _ensure_database(_url(socket_dir, password, "postgres"))
        self._connection = ConnectionFile(
            url=_url(socket_dir, password, DATABASE),
            postmaster=process.identity,
            data_dir=str(layout.data_dir),
            socket_dir=str(socket_dir),
            version=answer.version,
        )
        self._connection.write(layout.connection_file)

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
        process, self._process = self._process, None
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


class _Plan(NamedTuple):
    account: ServerAccount
    binaries: PostgresqlBinaries


class _Answer(NamedTuple):
    version: str
    data_dir: str
    started_at: int


def _prepared_layout(state_dir: Path) -> ClusterLayout:
    prepare_state_dir(state_dir)
    layout = ClusterLayout(state_dir)
    try:
        layout.root.mkdir(exist_ok=True)
    except OSError as error:
        raise _unusable(layout.root, error) from error
    return layout


def _acquire(lock: StartLock, layout: ClusterLayout) -> bool:
    try:
        return lock.acquire()
    except OSError as error:
        raise _unusable(layout.lock_file, error) from error


def _prepare(layout: ClusterLayout) -> _Plan:
    account = server_account()
    try:
        # Passable whatever the umask says: root's server runs as somebody else. Nobody else can list it.
        layout.root.chmod(0o711)
        binaries = binaries_for(account, layout.programs_dir)
        _check_passable(layout, account, binaries)
        state = cluster_state(layout, binaries)
        if state is not ClusterState.COMPLETE:
            create_cluster(layout, binaries, account)
        check_owner(layout, account)
    except OSError as error:
        raise _unusable(layout.root, error) from error
    return _Plan(account, binaries)


def _prepare_launch(layout: ClusterLayout, plan: _Plan) -> tuple[Path, str]:
    try:
        if forget_reused_pid(layout.data_dir):
            _log.warning("removed an old postmaster.pid", data_dir=str(layout.data_dir))
        if (before := ConnectionFile.read(layout.connection_file)) is not None:
            layout.connection_file.unlink(missing_ok=True)
            remove_socket_dir(Path(before.socket_dir), layout.run_dir)
        layout.log_dir.mkdir(exist_ok=True)
        plan.account.own(layout.log_dir, 0o700)
        prune_log(layout.log_dir)
        socket_dir = prepare_socket_dir(layout.run_dir, plan.account)
        layout.settings_file.write_text(
            settings_text(socket_dir, layout.log_dir, available_memory_bytes()), encoding="utf-8"
        )
        layout.settings_file.chmod(0o644)
        password = read_password(layout) or reset_password(layout, plan.binaries, plan.account)
    except OSError as error:
        raise _unusable(layout.root, error) from error
    return socket_dir, password


def _check_passable(layout: ClusterLayout, account: ServerAccount, binaries: PostgresqlBinaries) -> None:
    if account.is_own or account.can_run([binaries.program("postgres"), "--version"], cwd=layout.root):
        return
    closed = untraversable_parent(layout.root) or layout.root
    raise ConfigError(
        f"The state directory {layout.state_dir} cannot be used by the embedded PostgreSQL: it refuses to run as root, "
        f"so it runs as uid {account.uid}, which may not pass through {closed}. Set SCHEDULER_STATE_DIR to a directory "
        f"such as /var/lib/scheduler whose parents everybody may pass, or set SCHEDULER_RUN_AS to a user that may "
        "enter it."
    )


def _unusable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"The state directory cannot be used by uid {os.geteuid()}: {error.filename or path}: "
        f"{error.strerror or error}. Run as the user who owns it, free space if the disk is full, or set "
        "SCHEDULER_STATE_DIR to another directory."
    )


def _url(socket_dir: Path, password: str, database: str) -> str:
    return (
        f"postgresql://{USER}:{quote(password, safe='')}@/{database}?host={quote(str(socket_dir), safe='')}&port={PORT}"
    )


async def _answer(url: str) -> _Answer | None:
    """What the server says about itself; None when it does not answer now. Raises ConfigError on a wrong password."""
    import psycopg

    try:
        connection = await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=10)
        async with connection:
            cursor = await connection.execute(
                "SELECT current_setting('server_version'), current_setting('data_directory'),"
                " extract(epoch FROM pg_postmaster_start_time())::bigint"
            )
            row = await cursor.fetchone()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise ConfigError("the kept password is not the server's") from error
        return None
    return None if row is None else _Answer(str(row[0]), str(row[1]), int(row[2]))


def _is_ours(answer: _Answer, left: Postmaster, layout: ClusterLayout, binaries: PostgresqlBinaries) -> bool:
    # An older minor version is replaced by the one that is installed now.
    return (
        answer.data_dir == str(layout.data_dir)
        and abs(answer.started_at - left.started_at) <= 60
        and answer.version.split()[0] == binaries.version
    )


async def _ensure_database(url: str) -> None:
    import psycopg
    from psycopg import sql

    connection = await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=10)
    async with connection:
        cursor = await connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE])
        if await cursor.fetchone() is None:
            await connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
