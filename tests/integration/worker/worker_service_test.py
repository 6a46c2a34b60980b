"""The worker against a real database: claims, jobs, reports, and every way a session can end."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from fixtures.factories import build_plan, build_session, create_runs, create_task, open_session, status_of
from fixtures.in_memory_message_queue import InMemoryMessageQueue
from fixtures.job_lines import JobLines
from fixtures.tcp_proxy import TcpProxy
from fixtures.waiting import wait_until
from fixtures.worker import processes_with
from scheduler_core.config import Settings
from scheduler_core.errors import WorkerIdTakenError
from scheduler_core.interfaces import Store
from scheduler_core.models import DISPATCHERS, Lane, RetryPolicy, TaskRun, TaskRunStatus, session_address
from scheduler_core.runtime import SystemClock
from scheduler_core.runtime.process_identity import ProcessIdentity
from scheduler_infra.database import DatabaseConfig, open_store
from scheduler_worker.executors.executor_registry import ExecutorRegistry
from scheduler_worker.worker_config import WorkerConfig
from scheduler_worker.worker_service import WorkerService

TESTS = str(Path(__file__).parents[2])


class Worker:
    """A worker service that runs in this process."""

    def __init__(self, url: str, state_dir: Path, queue: InMemoryMessageQueue, **changes: Any) -> None:
        fields: dict[str, Any] = {
            "worker_id": "tested",
            "python_path": (TESTS,),
            "poll_interval_seconds": 0.2,
            "heartbeat_interval_seconds": 0.3,
            "lease_seconds": 5.0,
            "kill_grace_seconds": 0.3,
            "output_interval_seconds": 0.05,
            "shell_enabled": True,
        }
        self.config = WorkerConfig(**{**fields, **changes})
        self.stopping = asyncio.Event()
        self.ready = asyncio.Event()
        self.line = ""
        self._url = url
        self._state_dir = state_dir
        self._queue = queue

    async def run(self) -> None:
        """Work until `stopping` is set."""
        store = await self._open("worker")
        executors = ExecutorRegistry(Settings.of(self.config, state_dir=self._state_dir))
        try:
            service = WorkerService(
                store=store,
                queue=self._queue,
                open_heartbeat_store=lambda: self._open("heartbeat"),
                executors=executors,
                clock=SystemClock(),
                config=self.config,
            )
            await service.run(self._say_ready, self.stopping)
        finally:
            await executors.close()
            await store.close()

    def _say_ready(self, line: str) -> None:
        self.line = line
        self.ready.set()

    async def _open(self, name: str) -> Store:
        config = DatabaseConfig(url=self._url, connect_timeout_seconds=2.0)
        return await open_store(config, state_dir=self._state_dir, application_name=name, max_connections=1)


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
    """A running worker, ready; drained at the end."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(worker.run())
        ready = group.create_task(worker.ready.wait())
        await asyncio.wait({task, ready}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        try:
            yield task
        finally:
            worker.stopping.set()


Start = Callable[..., Worker]


@pytest.fixture
def start(database_url: str, tmp_path: Path, store: Store) -> Start:
    """Makes workers on the test's database."""

    def make(url: str = database_url, queue: InMemoryMessageQueue | None = None, **changes: Any) -> Worker:
        return Worker(url, tmp_path, queue or InMemoryMessageQueue(), **changes)

    return make


async def run_of(store: Store, run_id: int) -> TaskRun:
    """A run as it is now."""
    async with store.autocommit() as work:
        return await work.task_runs.get(run_id)


async def until(store: Store, run_id: int, *statuses: TaskRunStatus, seconds: float = 15.0) -> TaskRun:
    """The run when it stands in one of these statuses."""
    await wait_until(lambda: _is_in(store, run_id, statuses), seconds, f"run {run_id} in {statuses}")
    return await run_of(store, run_id)


async def _is_in(store: Store, run_id: int, statuses: tuple[TaskRunStatus, ...]) -> bool:
    return await status_of(store, run_id) in statuses


def always(value: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    """A condition as `wait_until` takes it."""

    async def asked() -> bool:
        return value()

    return asked


async def trigger(store: Store, copies: int = 1, **changes: Any) -> list[int]:
    """Make claimable runs of a new task; their ids."""
    task = await create_task(store, **changes)
    return [run.run_id for run in await create_runs(store, build_plan(task), copies)]


def python(name: str, *args: object) -> dict[str, Any]:
    """A task that calls an example function."""
    return {
        "task_type": "python",
        "parameters": {"callable": f"fixtures.example_jobs:{name}", "args": list(args)},
    }


def shell(command: str) -> dict[str, Any]:
    """A task that runs a shell command."""
    return {"task_type": "shell", "parameters": {"command": command, "shell": True}}


async def test_worker_integration_reports_tags_and_resources(store: Store, start: Start) -> None:
    """A session holds the worker's tags, its machine's cores, memory and disk, and what is configured over them."""
    config = {"tags": ("gpu", "eu", "gpu"), "resources": {"gpu": 2.0, "memory": "4GB"}}
    async with working(start(**config)):
        async with store.autocommit() as work:
            (session,) = await work.worker_sessions.page(alive_only=True)

    assert session.tags == ("eu", "gpu")
    assert session.resources.keys() == {"cpu", "disk", "gpu", "memory"}
    assert (session.resources["gpu"], session.resources["memory"]) == (2.0, 4.0 * 1024**3)
    assert session.resources["cpu"] > 0


async def test_worker_integration_runs_every_type(store: Store, start: Start) -> None:
    """A run of each process type is claimed, carried out, and has its result and its output."""
    (added,) = await trigger(store, **python("add_async", 40, 2))
    (in_child,) = await trigger(store, **python("add", 40, 3))
    (echoed,) = await trigger(store, **shell("echo hello; printf 'no end'"))

    async with working(start()):
        for run_id in (added, in_child, echoed):
            await until(store, run_id, TaskRunStatus.COMPLETED)

    assert (await run_of(store, added)).result == 42
    assert (await run_of(store, in_child)).result == 43
    run = await run_of(store, echoed)
    assert (run.result, run.attempt, run.worker_id) == ({"exit_code": 0}, 1, "tested")
    async with store.autocommit() as work:
        entries = await work.run_logs.read(echoed)
    assert "".join(entry.content for entry in entries) == "hello\nno end"


async def test_worker_integration_merges_parameters_key_by_key(store: Store, start: Start) -> None:
    """Parameters of a trigger win over the task's, key by key."""
    task = await create_task(store, **python("add", 1))
    (run,) = await create_runs(store, build_plan(task), parameters='{"kwargs": {"b": 10}}')

    async with working(start()):
        assert (await until(store, run.run_id, TaskRunStatus.COMPLETED)).result == 11


async def test_worker_integration_renders_templates_over_upstream_results(store: Store, start: Start) -> None:
    """A run's parameters are made from what its upstream has returned, its own parameters and the run itself."""
    add = python("add")["parameters"]["callable"]
    upstream = await create_task(store, **python("add_async", 40, 2))
    parameters = {
        "callable": add,
        "args": [f"{{{{ upstream['{upstream.name}'].result + params.kwargs.b }}}}"],
        "kwargs": {"b": 100},
    }
    downstream = await create_task(
        store, task_type="python", parameters=parameters, dependencies=(upstream.name,), name="templated"
    )
    first, second = await create_runs(store, build_plan(upstream, downstream))

    async with working(start()):
        await until(store, first.run_id, TaskRunStatus.COMPLETED)
        async with store.transaction() as work:
            await work.task_runs.settle(10)
        run = await until(store, second.run_id, TaskRunStatus.COMPLETED, TaskRunStatus.FAILED)

    assert (run.status, run.error, run.result) == (TaskRunStatus.COMPLETED, None, 242)


async def test_worker_integration_fails_a_template_without_a_value(store: Store, start: Start) -> None:
    """A template that cannot be rendered ends its run at once, whatever retries are left."""
    (run_id,) = await trigger(store, max_retries=3, **shell("echo {{ upstream.nobody.result }}"))

    async with working(start()):
        run = await until(store, run_id, TaskRunStatus.FAILED)

    assert (run.attempt, run.error) == (
        1,
        "command: 'echo {{ upstream.nobody.result }}' cannot be rendered: upstream has no 'nobody' (it has nothing).",
    )


async def test_worker_integration_serves_a_queue_of_its_own(store: Store, start: Start) -> None:
    """Runs in the queue that has a worker's name are taken by that worker, and nobody else's are."""
    (own,) = await trigger(store, queue="@tested", **python("add_async", 1))
    (others,) = await trigger(store, queue="@other", **python("add_async", 1))

    async with working(start()):
        await until(store, own, TaskRunStatus.COMPLETED)
        async with store.autocommit() as work:
            (session,) = await work.worker_sessions.page(alive_only=True)
            assert await work.worker_sessions.ring_targets([Lane("@tested", "python")], [1]) == [session.id]
        assert await status_of(store, others) is TaskRunStatus.DISPATCHED
    assert session.queues == ("default", "@tested")


async def test_worker_integration_drains_a_backlog_in_batches(store: Store, start: Start) -> None:
    """Many more runs than places are all carried out once, without waiting for a poll between batches."""
    await trigger(store, 200, **python("add_async", 1))
    began = time.monotonic()

    async with working(start(poll_interval_seconds=60, max_concurrent_tasks=20)):
        await wait_until(lambda: _all_completed(store), 20)

    assert time.monotonic() - began < 15
    async with store.autocommit() as work:
        assert {run.attempt for run in await work.task_runs.page(limit=200)} == {1}


async def _all_completed(store: Store) -> bool:
    async with store.autocommit() as work:
        return {run.status for run in await work.task_runs.page(limit=200)} == {TaskRunStatus.COMPLETED}


async def test_worker_integration_hears_its_bell(store: Store, start: Start) -> None:
    """A ring brings the worker to work long before its poll."""
    queue = InMemoryMessageQueue()
    async with working(start(queue=queue, poll_interval_seconds=600)):
        async with store.autocommit() as work:
            (session,) = await work.worker_sessions.page(alive_only=True)
        # Once it has had a run it looks again only when it is rung, or 600 s later.
        (first,) = await trigger(store, **python("add_async", 1))
        await queue.ring([session_address(session.id)])
        await until(store, first, TaskRunStatus.COMPLETED)
        (unheard,) = await trigger(store, **python("add_async", 1))
        await asyncio.sleep(0.5)
        assert await status_of(store, unheard) is TaskRunStatus.DISPATCHED

        await queue.ring([session_address(session.id)])

        await until(store, unheard, TaskRunStatus.COMPLETED)


async def test_worker_integration_retries_with_a_delay(store: Store, start: Start) -> None:
    """A failed run goes back to PENDING with a delay while it has retries, and dispatchers are rung."""
    queue = InMemoryMessageQueue()
    (run_id,) = await trigger(store, max_retries=1, retry=RetryPolicy(delay_seconds=60, jitter=0), **python("fail"))
    (final,) = await trigger(store, **python("fail"))

    async with queue.listen(DISPATCHERS) as bell, working(start(queue=queue)):
        run = await until(store, run_id, TaskRunStatus.PENDING)
        await until(store, final, TaskRunStatus.FAILED)
        assert await bell.wait(5)

    assert (run.failures, run.error) == (1, "ValueError: no good.")
    assert run.not_before is not None
    assert run.not_before > run.scheduled_at


async def test_worker_integration_releases_what_waits(store: Store, start: Start) -> None:
    """A completed run releases its downstream at once, without a dispatcher."""
    first, second = await create_task(store, **python("add", 1)), await create_task(store, **python("add", 2))
    runs = await create_runs(store, build_plan(first, second))

    async with working(start(poll_interval_seconds=600)):
        for run in runs:
            await until(store, run.run_id, TaskRunStatus.COMPLETED)


async def test_worker_integration_cancels_within_a_heartbeat(store: Store, start: Start, tmp_path: Path) -> None:
    """A cancel stops the job's processes and ends as CANCELLED (D8)."""
    (run_id,) = await trigger(store, **shell(f"sleep 600.{os.getpid()} & wait"))

    async with working(start()):
        await until(store, run_id, TaskRunStatus.RUNNING)
        async with store.autocommit() as work:
            await work.task_runs.cancel([run_id])
        run = await until(store, run_id, TaskRunStatus.CANCELLED)

    assert run.attempt == 1
    assert processes_with(f"600.{os.getpid()}") == []


async def test_worker_integration_times_out(store: Store, start: Start) -> None:
    """A run beyond its time-out is TIMEOUT (D10)."""
    (run_id,) = await trigger(store, timeout_seconds=0.5, **shell("sleep 600"))

    async with working(start()):
        run = await until(store, run_id, TaskRunStatus.TIMEOUT)

    assert run.error == "It did not end within 0.5 s and was stopped."


async def test_worker_integration_refuses_endless_results(store: Store, start: Start) -> None:
    """A result that is too large or cannot be stored is a clear failure, and the runs beside it are kept."""
    (large,) = await trigger(store, max_retries=3, **python("text", "x", 3_000_000))
    (nul,) = await trigger(store, **python("nul"))
    (fine,) = await trigger(store, **python("text", "ä", 3))

    async with working(start()):
        assert "worker.result_limit_bytes" in str((await until(store, large, TaskRunStatus.FAILED)).error)
        assert "NUL" in str((await until(store, nul, TaskRunStatus.FAILED)).error)
        assert (await until(store, fine, TaskRunStatus.COMPLETED)).result == "äää"


async def test_worker_integration_refuses_json_that_is_too_deep(store: Store, start: Start) -> None:
    """JSON that PostgreSQL finds too deep fails its own run, and does not hold up the reports of all others."""
    (deep,) = await trigger(store, **python("give_nested_text"))
    (fine,) = await trigger(store, **python("add_async", 1))

    async with working(start(drain_seconds=0.0)):
        assert "its result cannot be stored" in str((await until(store, deep, TaskRunStatus.FAILED)).error)
        await until(store, fine, TaskRunStatus.COMPLETED)


async def test_worker_integration_drain_lets_jobs_end(store: Store, start: Start) -> None:
    """A worker that is told to stop takes nothing new, lets its jobs end, and says goodbye."""
    (run_id,) = await trigger(store, **shell("sleep 1"))

    worker = start(drain_seconds=10)
    async with working(worker):
        await until(store, run_id, TaskRunStatus.RUNNING)
        worker.stopping.set()
        (later,) = await trigger(store, **python("add_async", 1))

    run = await run_of(store, run_id)
    assert (run.status, run.attempt) == (TaskRunStatus.COMPLETED, 1)
    assert await status_of(store, later) is TaskRunStatus.DISPATCHED
    async with store.autocommit() as work:
        assert await work.worker_sessions.sightings() == []


async def test_worker_integration_drain_hands_back_the_rest(store: Store, start: Start) -> None:
    """What does not end within drain_seconds is stopped and handed back, with no failure and no loss counted."""
    argument = f"601.{os.getpid()}"
    (run_id,) = await trigger(store, **shell(f"sleep {argument}"))
    worker = start(drain_seconds=0.3)

    async with working(worker):
        await until(store, run_id, TaskRunStatus.RUNNING)
        await wait_until(always(lambda: processes_with(argument) != []))

    run = await run_of(store, run_id)
    assert (run.status, run.failures, run.losses) == (TaskRunStatus.PENDING, 0, 0)
    assert processes_with(argument) == []
    async with store.autocommit() as work:
        assert await work.worker_sessions.sightings() == []


async def test_worker_integration_begins_again_when_it_was_declared_lost(store: Store, start: Start) -> None:
    """A worker whose session was ended by others kills its jobs and goes on with a new session."""
    argument = f"602.{os.getpid()}"
    (run_id,) = await trigger(store, **shell(f"sleep {argument}"))
    own = ProcessIdentity.own()

    async with working(start(drain_seconds=0.0)):
        await wait_until(always(lambda: processes_with(argument) != []))
        async with store.autocommit() as work:
            await work.worker_sessions.declare_lost("tested", own.pid, own.started_at)
        await wait_until(always(lambda: processes_with(argument) == []))
        (next_run,) = await trigger(store, **python("add_async", 1))
        await until(store, next_run, TaskRunStatus.COMPLETED)

    run = await run_of(store, run_id)
    assert (run.status, run.losses, run.attempt) == (TaskRunStatus.PENDING, 1, 1)


async def test_worker_integration_hands_back_runs_of_a_lost_reply(store: Store, start: Start) -> None:
    """A run that the database gave to this session, and that it never heard of, is handed back."""
    async with working(start()):
        async with store.autocommit() as work:
            (session,) = await work.worker_sessions.page(alive_only=True)
        (run_id,) = await trigger(store, task_type="unknown-here")
        async with store.autocommit() as work:
            # What a claim does whose reply never arrives.
            assert len(await work.task_runs.claim(session.id, [Lane("default", "unknown-here")], 1)) == 1

        run = await until(store, run_id, TaskRunStatus.PENDING)

    assert (run.attempt, run.failures, run.losses) == (1, 0, 0)


async def test_worker_integration_refuses_a_worker_id_in_use(store: Store, start: Start) -> None:
    """A second live worker with the same id is refused with host and process id of the first."""
    await open_session(store, worker_id="tested", hostname="elsewhere", pid=4711)

    with pytest.raises(WorkerIdTakenError, match=r"process 4711 on host elsewhere.*worker\.worker_id"):
        await start().run()


async def test_worker_integration_takes_over_from_a_dead_process(store: Store, start: Start) -> None:
    """The id of a process of this host that is dead is free at once, and its runs are freed."""
    own = ProcessIdentity.own()
    (run_id,) = await trigger(store, **python("add", 1))
    async with store.autocommit() as work:
        session_id = await work.worker_sessions.open(
            build_session(
                worker_id="tested",
                hostname=own.hostname,
                boot_id=own.boot_id,
                pid=own.pid,
                process_started_at=own.started_at - 1,
                lease_seconds=600.0,
            )
        )
        await work.task_runs.claim(session_id, [Lane("default", "python")], 1)

    async with working(start()) as running:
        assert not running.done()
        assert (await until(store, run_id, TaskRunStatus.PENDING)).losses == 1


async def test_worker_integration_survives_a_short_outage(
    store: Store, start: Start, database_url: str, tmp_path: Path
) -> None:
    """Connections that are cut while runs are claimed and reported lose nothing and double nothing.

    Counted from the lines that the jobs write: one for each attempt, and one attempt for each run, except those that
    were claimed by a reply that never came: nobody has executed such an attempt.
    """
    lines = JobLines(tmp_path / "lines.txt")
    run_ids = await trigger(store, 60, task_type="shell", parameters=lines.parameters())

    async with working(start(max_concurrent_tasks=5)):
        for _ in range(5):
            await _cut_connections(database_url)
            await asyncio.sleep(0.05)
        await wait_until(lambda: _readmitted_and_completed(store), 30)

    assert lines.starts() == Counter(run_ids)
    for line in lines.read():
        assert (await run_of(store, line.run_id)).attempt == line.attempt


async def _readmitted_and_completed(store: Store) -> bool:
    async with store.autocommit() as work:
        # What a dispatcher does with runs that were handed back.
        await work.task_runs.admit(100)
    return await _all_completed(store)


async def _cut_connections(url: str) -> bool:
    """Whether there was one to cut."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cut = await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name IN ('worker', 'heartbeat')"
        )
        return cut.rowcount > 0


async def test_worker_integration_kills_its_jobs_before_the_lease_ends(
    store: Store, start: Start, database_url: str, tcp_proxy: Callable[..., TcpProxy]
) -> None:
    """A worker that cannot reach the database kills its jobs while its lease still stands there, then begins anew."""
    argument = f"603.{os.getpid()}"
    proxy = tcp_proxy(Path(parse_qs(urlsplit(database_url).query)["host"][0]) / ".s.PGSQL.5432")
    parts = urlsplit(database_url)
    through = f"postgresql://scheduler@127.0.0.1:{proxy.port}{parts.path}"
    (run_id,) = await trigger(store, **shell(f"sleep {argument}"))
    worker = start(through, lease_seconds=3.0, drain_seconds=0.0)
    async with working(worker):
        await wait_until(always(lambda: processes_with(argument) != []))
        proxy.silence()
        await wait_until(always(lambda: processes_with(argument) == []), 10)
        async with store.autocommit() as work:
            (sighting,) = await work.worker_sessions.sightings()
        assert not sighting.lease_expired
        proxy.resume()
        await until(store, run_id, TaskRunStatus.PENDING, seconds=30)


async def test_worker_integration_renews_while_a_coroutine_blocks_the_loop(store: Store, start: Start) -> None:
    """A coroutine that blocks the worker's loop for longer than the lease does not cost the session."""
    (run_id,) = await trigger(store, **python("block_async", 2.5))

    async with working(start(heartbeat_interval_seconds=0.3, lease_seconds=1.5)):
        run = await until(store, run_id, TaskRunStatus.COMPLETED)

    assert (run.attempt, run.losses) == (1, 0)


async def test_worker_integration_keeps_its_session_while_a_child_holds_the_interpreter(
    store: Store, start: Start
) -> None:
    """A sync function in a C call that holds the interpreter's lock does not cost the session."""
    (run_id,) = await trigger(store, **python("hold_interpreter", 3))

    async with working(start(heartbeat_interval_seconds=0.3, lease_seconds=1.5)):
        run = await until(store, run_id, TaskRunStatus.COMPLETED)

    assert (run.attempt, run.losses) == (1, 0)


async def test_worker_integration_caps_a_flood(store: Store, start: Start) -> None:
    """A job that prints far more than is kept ends well, with the first part and a marker stored."""
    program = f"{sys.executable} -c \"import sys; [sys.stdout.write('x' * 99 + chr(10)) for _ in range(200_000)]\""
    (run_id,) = await trigger(store, **shell(program))

    async with working(start(output_limit_bytes=10_000)):
        await until(store, run_id, TaskRunStatus.COMPLETED)

    async with store.autocommit() as work:
        entries = await work.run_logs.read(run_id)
    assert sum(len(entry.content) for entry in entries if entry.stream == "stdout") == 10_000
    markers = "".join(entry.content for entry in entries if entry.stream == "log")
    assert markers == (
        "[the limit of 10000 bytes of output is reached; the rest is not kept]\n"
        "[19990000 more bytes of output were not kept]\n"
    )


async def test_worker_integration_refuses_reports_of_a_worker_that_was_frozen(
    database_url: str, store: Store, tmp_path: Path, start: Start
) -> None:
    """A worker stopped beyond its lease and woken again reports nothing, and kills what it still ran."""
    argument = f"604.{os.getpid()}"
    (run_id,) = await trigger(store, **shell(f"sleep {argument}"))
    process = await _start_process(database_url)
    try:
        await wait_until(always(lambda: processes_with(argument) != []), 20)
        process.send_signal(signal.SIGSTOP)
        async with store.autocommit() as work:
            (sighting,) = await work.worker_sessions.sightings()

        async def reaped() -> bool:
            async with store.autocommit() as work:
                return bool(await work.worker_sessions.reap([sighting.session_id]))

        await wait_until(reaped, 15)
        process.send_signal(signal.SIGCONT)

        await wait_until(always(lambda: processes_with(argument) == []), 10)
        run = await run_of(store, run_id)
        assert (run.status, run.losses) == (TaskRunStatus.PENDING, 1)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def _start_process(url: str) -> asyncio.subprocess.Process:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SCHEDULER_")}
    environment = {
        **kept,
        "SCHEDULER_STATE_DIR": "/tmp",
        "SCHEDULER_DATABASE__URL": url,
        "SCHEDULER_WORKER__ALLOW_ROOT": "true",
        "SCHEDULER_WORKER__SHELL_ENABLED": "true",
        "SCHEDULER_WORKER__LEASE_SECONDS": "3",
        "SCHEDULER_WORKER__HEARTBEAT_INTERVAL_SECONDS": "0.5",
        "SCHEDULER_WORKER__KILL_GRACE_SECONDS": "0.5",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from scheduler_worker.cli import main; main()", env=environment, cwd="/tmp"
    )
