"""The commands that the pages show are typed here as a reader would, each page from its first block to its last."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.broker import RabbitMQServer, running_rabbitmq
from fixtures.database import DEBIAN_BIN_DIRS
from fixtures.documentation import EXECUTED, ROOT, Block, Reader, all_blocks, blocks_of, count_blocks
from fixtures.ledger import assert_ledger_is_clean
from fixtures.pgbouncer import require_pgbouncer
from fixtures.processes import RunningProcess, SchedulerProcesses, free_port, wait_until
from fixtures.redis_server import RedisServer
from scheduler_infra.database.embedded.server_account import server_account

ONE_HOST = ROOT / "docs/deployment/one-host.md"
TWO_HOSTS = ROOT / "docs/deployment/two-hosts.md"
POOLER = ROOT / "docs/deployment/pooler.md"
MESSAGE_QUEUES = ROOT / "docs/message-queues.md"
QUICKSTART = ROOT / "examples/quickstart/README.md"
LEDGER = ROOT / "docs/ledger.md"
SCHEDULES = ROOT / "docs/schedules.md"
FLOWS = ROOT / "docs/flows.md"
FLOW_EXAMPLES = ROOT / "examples/flows/README.md"
EXPLAIN = ROOT / "docs/explain.md"
DISPATCH = ROOT / "docs/dispatch.md"
LIMITS = ROOT / "docs/limits.md"
UNIQUENESS = ROOT / "docs/uniqueness.md"
QUARANTINE = ROOT / "docs/quarantine.md"
RETENTION = ROOT / "docs/retention.md"
WORKERS = ROOT / "docs/workers.md"
SHELL = ROOT / "docs/executors/shell.md"
HTTP = ROOT / "docs/executors/http.md"
PYTHON = ROOT / "docs/executors/python.md"
LOGS = ROOT / "docs/logs.md"
RETRIES = ROOT / "docs/retries.md"
CUSTOM_EXECUTOR = ROOT / "examples/custom_executor/README.md"
PAGES = {
    ROOT / "README.md",
    ONE_HOST,
    TWO_HOSTS,
    QUICKSTART,
    LEDGER,
    SCHEDULES,
    EXPLAIN,
    DISPATCH,
    LIMITS,
    UNIQUENESS,
    QUARANTINE,
    RETENTION,
    WORKERS,
    SHELL,
    HTTP,
    PYTHON,
    LOGS,
    RETRIES,
    CUSTOM_EXECUTOR,
    POOLER,
    MESSAGE_QUEUES,
    FLOWS,
    FLOW_EXAMPLES,
}


def _commands(page: Path) -> list[Block]:
    return [block for block in blocks_of(page) if block.language in EXECUTED]


def _follow(reader: Reader, blocks: list[Block], request: pytest.FixtureRequest) -> None:
    for block in blocks:
        reader.follow(block)
    count_blocks(request, len(blocks), "executed")


def test_documentation_has_a_test_for_every_page_with_commands() -> None:
    """No page shows a command that nobody has typed."""
    assert {block.path for block in all_blocks() if block.language in EXECUTED} == PAGES


@pytest.mark.timeout(400)
def test_readme_works_as_written(scheduler_processes: SchedulerProcesses, request: pytest.FixtureRequest) -> None:
    """The commands of the README start a system, and what it shows comes out."""
    environment = _as_in_a_terminal(scheduler_processes, "SCHEDULER_STATE_DIR", "SCHEDULER_API__BIND_ADDRESS")
    reader = Reader(scheduler_processes, ROOT, environment)
    _follow(reader, _commands(ROOT / "README.md"), request)
    assert_ledger_is_clean(scheduler_processes)
    (up,) = scheduler_processes.started
    up.interrupt()
    up.wait()


@pytest.mark.timeout(400)
def test_quickstart_page_works_as_written(
    scheduler_processes: SchedulerProcesses, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The commands of the quickstart's page do what it says, with a system that runs already."""
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "examples", checkout / "examples")
    environment = _as_in_a_terminal(scheduler_processes, "SCHEDULER_STATE_DIR", "SCHEDULER_API__BIND_ADDRESS")
    reader = Reader(scheduler_processes, checkout, {**environment, "SCHEDULER_WORKER__ALLOW_ROOT": "true"})
    blocks = [replace(block, text=block.text.replace("/tmp/", f"{tmp_path}/")) for block in _commands(QUICKSTART)]
    _follow(reader, blocks, request)


@pytest.mark.timeout(400)
def test_ledger_page_works_as_written(
    scheduler_processes: SchedulerProcesses, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The page's task has the ledger that is shown, and the entry that is taken away is found missing."""
    kept = ("SCHEDULER_STATE_DIR", "SCHEDULER_API__BIND_ADDRESS", "SCHEDULER_WORKER__ALLOW_ROOT")
    reader = Reader(scheduler_processes, tmp_path, _as_in_a_terminal(scheduler_processes, *kept))
    _follow(reader, _commands(LEDGER), request)
    # The entry that the page takes away is all that is missing.
    found = scheduler_processes.run("ledger", "verify", "-o", "json")
    assert (found.returncode, json.loads(found.stdout)["totals"]["findings"]) == (1, 1), found
    scheduler_processes.is_ledger_verified = True
    (up,) = scheduler_processes.started
    up.interrupt()
    up.wait()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("page", [FLOWS, FLOW_EXAMPLES], ids=["flows", "examples"])
def test_flow_pages_work_as_written(
    page: Path, scheduler_processes: SchedulerProcesses, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The flows of the page run, and look as they are shown."""
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "examples", checkout / "examples")
    kept = ("SCHEDULER_STATE_DIR", "SCHEDULER_API__BIND_ADDRESS", "SCHEDULER_WORKER__ALLOW_ROOT")
    reader = Reader(scheduler_processes, checkout, _as_in_a_terminal(scheduler_processes, *kept))
    _follow(reader, _commands(page), request)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("page", [UNIQUENESS, QUARANTINE, RETENTION], ids=["uniqueness", "quarantine", "retention"])
def test_pages_on_what_becomes_of_runs_work_as_written(
    page: Path, scheduler_processes: SchedulerProcesses, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The page's runs are made once, put aside or removed as it shows."""
    kept = ("SCHEDULER_STATE_DIR", "SCHEDULER_API__BIND_ADDRESS", "SCHEDULER_WORKER__ALLOW_ROOT")
    reader = Reader(scheduler_processes, tmp_path, _as_in_a_terminal(scheduler_processes, *kept))
    _follow(reader, _commands(page), request)
    assert_ledger_is_clean(scheduler_processes)
    (up,) = scheduler_processes.started
    up.interrupt()
    up.wait()


def test_schedules_page_works_as_written(
    scheduler_processes: SchedulerProcesses, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The page's tasks have the slots that are shown, without any server."""
    reader = Reader(scheduler_processes, tmp_path, _as_in_a_terminal(scheduler_processes))
    _follow(reader, _commands(SCHEDULES), request)


@pytest.mark.timeout(400)
def test_explain_page_works_as_written(
    scheduler_processes: SchedulerProcesses, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The page's runs, task and slots are explained as it shows."""
    kept = ("SCHEDULER_STATE_DIR", "SCHEDULER_API__BIND_ADDRESS", "SCHEDULER_WORKER__ALLOW_ROOT")
    reader = Reader(scheduler_processes, tmp_path, _as_in_a_terminal(scheduler_processes, *kept))
    _follow(reader, _commands(EXPLAIN), request)
    assert_ledger_is_clean(scheduler_processes)
    (up,) = scheduler_processes.started
    up.interrupt()
    up.wait()


@pytest.mark.timeout(400)
def test_dispatch_page_works_as_written(
    scheduler_processes: SchedulerProcesses, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The page's tasks find the worker that they ask for, or wait for one as it shows."""
    kept = ("SCHEDULER_STATE_DIR", "SCHEDULER_API__BIND_ADDRESS", "SCHEDULER_WORKER__ALLOW_ROOT")
    reader = Reader(scheduler_processes, tmp_path, _as_in_a_terminal(scheduler_processes, *kept))
    _follow(reader, _commands(DISPATCH), request)
    assert_ledger_is_clean(scheduler_processes)
    (up,) = scheduler_processes.started
    up.interrupt()
    up.wait()


@pytest.mark.timeout(400)
def test_limits_page_works_as_written(
    scheduler_processes: SchedulerProcesses, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The page's runs keep the limits that it declares, changes and looks at."""
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "examples", checkout / "examples")
    kept = ("SCHEDULER_STATE_DIR", "SCHEDULER_API__BIND_ADDRESS", "SCHEDULER_WORKER__ALLOW_ROOT")
    reader = Reader(scheduler_processes, checkout, _as_in_a_terminal(scheduler_processes, *kept))
    _follow(reader, _commands(LIMITS), request)
    assert_ledger_is_clean(scheduler_processes)
    (up,) = scheduler_processes.started
    up.interrupt()
    up.wait()


@pytest.mark.timeout(400)
def test_workers_page_works_as_written(
    scheduler_processes: SchedulerProcesses, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The page's worker processes are seen, drained and resumed as it shows."""
    kept = ("SCHEDULER_STATE_DIR", "SCHEDULER_API__BIND_ADDRESS", "SCHEDULER_WORKER__ALLOW_ROOT")
    reader = Reader(scheduler_processes, tmp_path, _as_in_a_terminal(scheduler_processes, *kept))
    _follow(reader, _commands(WORKERS), request)
    assert_ledger_is_clean(scheduler_processes)
    for process in reversed(scheduler_processes.started):
        process.interrupt()
        assert process.wait() == 0


@pytest.mark.timeout(400)
@pytest.mark.parametrize("page", [RETRIES, SHELL, HTTP, PYTHON, LOGS], ids=lambda page: page.stem)
def test_pages_on_jobs_work_as_written(
    page: Path, scheduler_processes: SchedulerProcesses, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The page's programs, functions and calls are carried out, refused, stopped and told of as it shows."""
    kept = ("SCHEDULER_STATE_DIR", "SCHEDULER_API__BIND_ADDRESS", "SCHEDULER_WORKER__ALLOW_ROOT")
    reader = Reader(scheduler_processes, tmp_path, _as_in_a_terminal(scheduler_processes, *kept))
    _follow(reader, _commands(page), request)
    assert_ledger_is_clean(scheduler_processes)


@pytest.mark.timeout(400)
def test_custom_executor_page_works_as_written(
    scheduler_processes: SchedulerProcesses, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The example's wheel is built, installed, and carries out a run of the task type that it adds."""
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "examples", checkout / "examples")
    task_file = checkout / "examples/custom_executor/tasks.toml"
    task_file.write_text(task_file.read_text().replace("/tmp/", f"{tmp_path}/"))
    kept = ("SCHEDULER_STATE_DIR", "SCHEDULER_API__BIND_ADDRESS", "SCHEDULER_WORKER__ALLOW_ROOT")
    environment = _as_in_a_terminal(scheduler_processes, *kept)
    environment["PATH"] = f"{environment['PATH']}:{ROOT / '.tools/uv/bin'}"
    reader = Reader(scheduler_processes, checkout, environment)
    blocks = [replace(block, text=block.text.replace("/tmp/", f"{tmp_path}/")) for block in _commands(CUSTOM_EXECUTOR)]
    _follow(reader, blocks, request)


@pytest.mark.timeout(400)
def test_one_host_page_works_as_written(
    scheduler_processes: SchedulerProcesses, request: pytest.FixtureRequest
) -> None:
    """Typed as it stands, the page gives a service that works, and that ends in an orderly way when it is stopped."""
    folder = scheduler_processes.directory
    unit, log, code = (folder / name for name in ("scheduler.service", "service.log", "exit-code"))
    value = f"sed -n 's/^{{}}=//p' {unit}"
    _write_programs(
        folder / "bin",
        {
            "useradd": '[ "$1" = "--system" ]',
            "systemctl": f"""case "$*" in
                daemon-reload) test -s {unit} ;;
                "enable --now scheduler")
                    {{ env $({value.format("Environment")}) setsid $({value.format("ExecStart")}) &
                       echo $! > {folder}/pid; wait $!; echo $? > {code}; }} > {log} 2>&1 & ;;
                "stop scheduler")
                    kill -TERM "$(cat {folder}/pid)"; until [ -s {code} ]; do sleep 0.1; done ;;
                *) exit 1 ;;
            esac""",
        },
    )
    kept = ("SCHEDULER_STATE_DIR", "SCHEDULER_API__BIND_ADDRESS", "SCHEDULER_WORKER__ALLOW_ROOT")
    environment = _as_in_a_terminal(scheduler_processes, *kept)
    environment["PATH"] = f"{folder / 'bin'}:{os.environ['PATH']}"
    replacements = {
        "/opt/scheduler": f"{folder}/opt/scheduler",
        "/etc/scheduler": str(scheduler_processes.config_dir),
        "/etc/systemd/system/scheduler.service": str(unit),
        "/var/lib/scheduler": str(scheduler_processes.state_dir),
    }
    reader = Reader(scheduler_processes, ROOT, environment)
    blocks = [replace(block, text=_replaced(block.text, replacements)) for block in _commands(ONE_HOST)]
    (end,) = [number for number, block in enumerate(blocks) if "systemctl stop" in block.text]
    _follow(reader, blocks[:end], request)
    assert_ledger_is_clean(scheduler_processes)
    _follow(reader, blocks[end:], request)
    assert code.read_text() == "0\n", log.read_text()


@pytest.fixture
def debian_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator["DebianCluster"]:
    """A new cluster made by Debian's PostgreSQL, as its package would, on a port of loopback."""
    if not DEBIAN_BIN_DIRS:
        message = "Debian's PostgreSQL is not installed: apt-get install postgresql"
        pytest.fail(message, pytrace=False) if os.environ.get("REQUIRE_RABBITMQ") == "1" else pytest.skip(message)
    cluster = DebianCluster(list(DEBIAN_BIN_DIRS.values())[-1])
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


class DebianCluster:
    """A PostgreSQL server whose superuser postgres comes in by its socket, and nobody else without a password."""

    def __init__(self, bin_dir: Path) -> None:
        self._bin_dir = bin_dir
        self.directory = Path("/tmp") / f"scheduler-cluster-{os.getpid()}-{time.monotonic_ns()}"
        self.data = self.directory / "data"
        self.port = free_port()
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the cluster and return when it takes connections."""
        account = server_account()
        options: dict[str, Any] = {"cwd": "/", "stdin": subprocess.DEVNULL, **account.popen_options}
        self.directory.mkdir()
        self.data.mkdir()
        account.own(self.directory, 0o711)
        account.own(self.data, 0o700)
        initdb = [str(self._bin_dir / "initdb"), "-D", str(self.data), "-U", "postgres", "-E", "UTF8", "--no-sync"]
        postgres = [str(self._bin_dir / "postgres"), "-D", str(self.data), "-k", str(self.directory)]
        with (self.directory / "server.log").open("wb") as log:
            subprocess.run([*initdb, "--auth=trust"], stdout=log, stderr=log, check=True, **options)
            # Nobody comes in over the network before the page has said who may.
            (self.data / "pg_hba.conf").write_text("local all postgres trust\n")
            self._server = subprocess.Popen(
                [*postgres, "-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
                stdout=log,
                stderr=log,
                start_new_session=True,
                **options,
            )
        wait_until(lambda: (self.directory / f".s.PGSQL.{self.port}").exists(), 60, "PostgreSQL listens")

    def stop(self) -> None:
        """Stop the server and remove the cluster."""
        if self._server is not None:
            self._server.send_signal(2)
            self._server.wait(30)
        shutil.rmtree(self.directory, ignore_errors=True)


def _write_programs(folder: Path, programs: dict[str, str]) -> None:
    """Stand-ins for programs of a host that a test must not touch: shell scripts."""
    folder.mkdir()
    for name, program in programs.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{program}\n")
        path.chmod(0o755)


def _programs_of_two_hosts(cluster: DebianCluster, broker: RabbitMQServer) -> dict[str, str]:
    """Each does to the test's own servers what it would do to those of the host."""
    settings = " ".join(f"'{name}={value}'" for name, value in broker.environment.items())
    return {
        **_programs_of_a_database(cluster),
        "rabbitmqctl": f'exec env {settings} /usr/lib/rabbitmq/bin/rabbitmqctl "$@"',
    }


def _programs_of_a_database(cluster: DebianCluster) -> dict[str, str]:
    superuser = f"PGHOST={cluster.directory} PGPORT={cluster.port} PGUSER=postgres"
    return {
        # What the page installs has to be there: then there is nothing to do.
        "apt-get": '[ "$1 $2" = "install --yes" ] && shift 2 && dpkg-query -W "$@" >/dev/null',
        "systemctl": f'[ "$*" = "restart postgresql" ] && kill -HUP "$(head -n 1 {cluster.data}/postmaster.pid)"',
        "runuser": f'[ "$1 $2 $3" = "-u postgres --" ] && shift 3 && exec env {superuser} "$@"',
    }


@pytest.mark.timeout(600)
def test_two_hosts_page_works_as_written(
    scheduler_processes: SchedulerProcesses,
    debian_cluster: DebianCluster,
    rabbitmq_server: RabbitMQServer,
    request: pytest.FixtureRequest,
) -> None:
    """Typed as it stands, the walk-through gives a distributed system in which both workers work."""
    folder = scheduler_processes.directory
    _write_programs(folder / "bin", _programs_of_two_hosts(debian_cluster, rabbitmq_server))
    environment = _as_in_a_terminal(scheduler_processes, "SCHEDULER_STATE_DIR", "SCHEDULER_WORKER__ALLOW_ROOT")
    environment["PATH"] = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    replacements = {
        "192.0.2.10:5432": f"127.0.0.1:{debian_cluster.port}",
        "192.0.2.10:5672": f"127.0.0.1:{rabbitmq_server.port}",
        "192.0.2.10:8080": f"127.0.0.1:{scheduler_processes.port}",
        "192.0.2.0/24": "127.0.0.0/8",
        "/opt/scheduler": f"{folder}/opt/scheduler",
        "/etc/scheduler": f"{folder}/etc/scheduler",
    }
    reader = Reader(scheduler_processes, ROOT, environment)
    blocks = [replace(block, text=_replaced(block.text, replacements)) for block in _commands(TWO_HOSTS)]
    _follow(reader, blocks, request)
    assert [_name(process) for process in scheduler_processes.started] == [
        "scheduler-api",
        "scheduler-dispatcher",
        "scheduler-worker",
        "scheduler-dispatcher",
        "scheduler-worker",
    ]
    reached = {
        "SCHEDULER_SERVER": f"http://127.0.0.1:{scheduler_processes.port}",
        "SCHEDULER_API_KEY_FILE": f"{folder}/etc/scheduler/operator.key",
    }
    assert_ledger_is_clean(scheduler_processes, reached)
    assert [process.stop() for process in reversed(scheduler_processes.started)] == [0] * 5


@pytest.mark.timeout(400)
def test_pooler_page_works_as_written(
    scheduler_processes: SchedulerProcesses, debian_cluster: DebianCluster, request: pytest.FixtureRequest
) -> None:
    """Typed as it stands, the page gives a system that works through PgBouncer, and a doctor who sees that."""
    require_pgbouncer()
    folder, account = scheduler_processes.directory, server_account()
    ini, port = f"{folder}/etc/pgbouncer/pgbouncer.ini", free_port()
    Path(ini).parent.mkdir(parents=True)
    user = "" if account.is_own else f"-u {pwd.getpwuid(account.uid).pw_name}"
    _write_programs(
        folder / "bin",
        {
            **{name: _programs_of_a_database(debian_cluster)[name] for name in ("apt-get", "runuser")},
            "chown": f'[ "$1" = postgres ] && exec /bin/chown {account.uid} "$2"',
            "systemctl": f"""case "$*" in
                "reload postgresql") kill -HUP "$(head -n 1 {debian_cluster.data}/postmaster.pid)" ;;
                "restart pgbouncer") PATH="$PATH:/usr/sbin" setsid pgbouncer {user} {ini} > {folder}/pooler.log 2>&1 &
                    echo $! > {folder}/pooler.pid; until grep -q 'process up' {folder}/pooler.log; do sleep 0.1; done ;;
                *) exit 1 ;;
            esac""",
        },
    )
    kept = ("SCHEDULER_STATE_DIR", "SCHEDULER_API__BIND_ADDRESS", "SCHEDULER_WORKER__ALLOW_ROOT")
    environment = _as_in_a_terminal(scheduler_processes, *kept)
    environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
    replacements = {
        "port=5432": f"port={debian_cluster.port}",
        ":5432": f":{debian_cluster.port}",
        "6432": str(port),
        "/etc/pgbouncer": f"{folder}/etc/pgbouncer",
        "/etc/scheduler": str(scheduler_processes.config_dir),
    }
    reader = Reader(scheduler_processes, ROOT, environment)
    blocks = [replace(block, text=_replaced(block.text, replacements)) for block in _commands(POOLER)]
    try:
        _follow(reader, blocks, request)
        assert_ledger_is_clean(scheduler_processes)
        (up,) = scheduler_processes.started
        up.interrupt()
        assert up.wait() == 0
    finally:
        if (written := folder / "pooler.pid").exists():
            os.kill(int(written.read_text()), signal.SIGTERM)


@pytest.fixture
def own_rabbitmq_server() -> Iterator[RabbitMQServer]:
    """Another RabbitMQ, where no page has made its user yet."""
    with running_rabbitmq() as server:
        yield server


@pytest.mark.timeout(400)
def test_message_queues_page_works_as_written(
    scheduler_processes: SchedulerProcesses,
    own_rabbitmq_server: RabbitMQServer,
    redis_server: RedisServer,
    request: pytest.FixtureRequest,
) -> None:
    """Typed as it stands, the page gives rings over RabbitMQ and Redis to users who may do no more, and an outage."""
    folder = scheduler_processes.directory
    settings = " ".join(f"'{name}={value}'" for name, value in own_rabbitmq_server.environment.items())
    _write_programs(
        folder / "bin",
        {
            "apt-get": '[ "$1 $2" = "install --yes" ] && shift 2 && dpkg-query -W "$@" >/dev/null',
            "rabbitmqctl": f'exec env {settings} /usr/lib/rabbitmq/bin/rabbitmqctl "$@"',
            "redis-cli": f'exec /usr/bin/redis-cli -e -p {redis_server.port} "$@"',
        },
    )
    kept = ("SCHEDULER_STATE_DIR", "SCHEDULER_API__BIND_ADDRESS", "SCHEDULER_WORKER__ALLOW_ROOT")
    environment = _as_in_a_terminal(scheduler_processes, *kept)
    environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
    replacements = {
        ":5672/": f":{own_rabbitmq_server.port}/",
        ":6379": f":{redis_server.port}",
        "/etc/scheduler": str(scheduler_processes.config_dir),
    }
    reader = Reader(scheduler_processes, ROOT, environment)
    blocks = [replace(block, text=_replaced(block.text, replacements)) for block in _commands(MESSAGE_QUEUES)]
    _follow(reader, blocks, request)
    assert_ledger_is_clean(scheduler_processes)
    (up,) = scheduler_processes.started
    up.interrupt()
    assert up.wait() == 0


def _as_in_a_terminal(processes: SchedulerProcesses, *kept: str) -> dict[str, str]:
    """The environment of a reader who has set nothing: only where state goes, and what the machine forces.

    Pages for a system that runs already are followed with one that runs shell tasks, as `make run` starts it.
    """
    if "SCHEDULER_WORKER__ALLOW_ROOT" in kept:
        kept = (*kept, "SCHEDULER_WORKER__SHELL_ENABLED")
    return {
        name: value
        for name, value in processes.environment.items()
        if not name.startswith("SCHEDULER_") or name in kept or name.startswith("SCHEDULER_TEST_")
    }


def _replaced(text: str, replacements: dict[str, str]) -> str:
    for shown, real in replacements.items():
        text = text.replace(shown, real)
    return text


def _name(process: RunningProcess) -> str:
    return Path(Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")[1].decode()).name
