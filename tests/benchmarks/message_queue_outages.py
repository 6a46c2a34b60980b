"""A system under load while its RabbitMQ is restarted, purged, stopped, frozen and fed with forged messages.

`python -m benchmarks.message_queue_outages` prints one JSON line; the load is the same number of triggers a second all
the time, and what is counted comes from the lines that the jobs wrote and from the rows of the runs.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import amqp
import psycopg

from fixtures.broker import RabbitMQServer, running_rabbitmq
from fixtures.forged_rings import forged_rings
from fixtures.processes import SchedulerProcesses, wait_until
from fixtures.site import Site
from scheduler_infra.database import DatabaseConfig, resolve_url

_RETURN_SECONDS_MAX = 60.0
PURGE = "[rabbit_amqqueue:purge(Q) || Q <- rabbit_amqqueue:list()]."
_FIRST_START = (
    b"SELECT extract(epoch FROM min(started_at))::float FROM scheduler.task_runs WHERE started_at > %s::timestamptz"
)
_DELAYS = b"""
SELECT extract(epoch FROM started_at - created_at)::float FROM scheduler.task_runs
WHERE created_at BETWEEN to_timestamp(%s) AND to_timestamp(%s) ORDER BY 1
"""


@dataclass
class Load:
    """Triggers runs at a steady rate from a thread of its own, and remembers each with the time the API took."""

    trigger: Callable[[], int]
    per_second: float
    runs: list[int] = field(default_factory=list)
    latencies: list[tuple[float, float]] = field(default_factory=list)
    """When each trigger was sent, and how many seconds its answer took."""
    error: BaseException | None = None
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; raises what a trigger has raised."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(60)
        if self.error is not None:
            raise self.error

    def latencies_between(self, begin: float, end: float) -> list[float]:
        """Seconds that the triggers of a span of time took, in ascending order."""
        return sorted(seconds for at, seconds in self.latencies if begin <= at < end)

    def _run(self) -> None:
        while not self._ending.wait(1 / self.per_second):
            at = time.time()
            try:
                self.runs.append(self.trigger())
            except BaseException as error:
                self.error = error
                return
            self.latencies.append((at, time.time() - at))


class Outages:
    """A site whose doorbell is a RabbitMQ to which everything happens, and the load on it."""

    def __init__(self, site: Site, broker: RabbitMQServer, *, per_second: float = 5.0) -> None:
        self.site = site
        self.broker = broker
        self.load = Load(lambda: site.trigger("line"), per_second)
        self.returns: list[float] = []
        """Seconds from each return of the broker to the next claim."""
        self.gone: list[tuple[float, float]] = []
        """Spans of time in which the broker was away."""

    def start(self, *, dispatchers: int = 2) -> None:
        """Dispatchers, two workers, and the load."""
        self.site.start(dispatchers=dispatchers, workers=2, message_queue_url=self.broker.url)
        self.site.create_task("line")
        self.load.start()

    def restart(self) -> None:
        """Stop the broker, start it at once, and wait for the next claim."""
        begin = time.time()
        self.broker.restart()
        self._returned(begin)

    def purge(self) -> None:
        """Empty every queue that there is."""
        self.broker.control("eval", PURGE)

    def stop(self, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Stop the broker for some seconds."""
        begin = time.time()
        self.broker.stop()
        self._wait(begin, seconds, meanwhile)
        self.broker.start()
        self._returned(begin)

    def freeze(self, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Stop the broker's process with SIGSTOP for some seconds."""
        begin = time.time()
        self.broker.freeze()
        try:
            self._wait(begin, seconds, meanwhile)
        finally:
            self.broker.thaw()
        self._returned(begin)

    def settle(self) -> None:
        """End the load and wait until every run that was triggered has written its line and has completed."""
        self.load.stop()
        wait_until(lambda: not self._unfinished(), 60, "every run has ended", describe=lambda: str(self._unfinished()))

    def forge(self, count: int) -> None:
        """Send that many forged messages to each live session and to the dispatchers."""
        sessions = [
            f"session-{row[0]}" for row in self._rows(b"SELECT id FROM scheduler.worker_sessions WHERE state = 'ALIVE'")
        ]
        assert sessions
        with amqp.Connection(f"127.0.0.1:{self.broker.port}", "guest", "guest") as connection:
            channel = connection.channel()
            for ring in forged_rings(count):
                headers = {"compression": ring.properties["compression"], "task": "os.system"}
                encoding = ring.properties["content_encoding"]
                message = amqp.Message(ring.body, application_headers=headers, content_encoding=encoding)
                for address in (*sessions, "dispatchers"):
                    channel.basic_publish(message, exchange="tasks", routing_key=address)
            channel.close()

    def figures(self) -> dict[str, Any]:
        """What came of it."""
        starts = self.site.lines.starts()
        away = sorted(seconds for span in self.gone for seconds in self.load.latencies_between(*span))
        delays = sorted(row[0] for span in self.gone for row in self._rows(_DELAYS, span))
        calm = sorted(
            seconds for at, seconds in self.load.latencies if not any(begin <= at < end for begin, end in self.gone)
        )
        return {
            "runs": len(self.load.runs),
            "lost": len(set(self.load.runs) - starts.keys()),
            "started_twice": sum(count > 1 for count in starts.values()),
            "first_claim_after_return_seconds_max": round(max(self.returns), 2),
            "start_delay_while_away_seconds_max": round(delays[-1], 2),
            "api_median_ms": round(statistics.median(calm) * 1000, 1),
            "api_median_while_away_ms": round(statistics.median(away) * 1000, 1),
            "api_p95_ms": round(_p95(calm) * 1000, 1),
            "api_p95_while_away_ms": round(_p95(away) * 1000, 1),
        }

    def _wait(self, begin: float, seconds: float, meanwhile: Callable[[], None]) -> None:
        meanwhile()
        time.sleep(max(0.0, begin + seconds - time.time()))

    def _returned(self, begin: float) -> None:
        back = time.time()
        self.gone.append((begin, back))
        after = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(back)) + f"{back % 1:.6f}"[1:] + "+00"

        def started() -> float | None:
            seen: float | None = self._rows(_FIRST_START, (after,))[0][0]
            return seen

        first = wait_until(started, _RETURN_SECONDS_MAX, "a run starts after the broker's return")
        assert first is not None
        self.returns.append(first - back)

    def _unfinished(self) -> list[tuple[Any, ...]]:
        return self._rows(
            b"SELECT id, status FROM scheduler.task_runs WHERE status IN ('PENDING', 'DISPATCHED', 'RUNNING')"
        )

    def _rows(self, statement: bytes, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        url = resolve_url(DatabaseConfig(), self.site.processes.state_dir)
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(statement, parameters).fetchall()


def measure(
    directory: Path,
    *,
    restarts: int = 5,
    purges: int = 3,
    stop_seconds: float = 30.0,
    freeze_seconds: float = 30.0,
    forged: int = 5000,
) -> dict[str, Any]:
    """Everything one after the other, and figures of it; AssertionError when a forged message has started a run."""
    system = SchedulerProcesses(directory)
    with running_rabbitmq() as broker:
        outages = Outages(Site(system), broker)
        try:
            outages.start()
            time.sleep(10)
            for _ in range(restarts):
                outages.restart()
                time.sleep(2)
            for _ in range(purges):
                outages.purge()
                time.sleep(2)
            outages.stop(stop_seconds)
            time.sleep(2)
            outages.freeze(freeze_seconds)
            time.sleep(10)
            outages.settle()
            lines = len(outages.site.lines.read())
            began = time.monotonic()
            outages.forge(forged)
            forging = time.monotonic() - began
            time.sleep(10)
            assert len(outages.site.lines.read()) == lines
            run_id = outages.site.trigger("line")
            system.wait_for_run(run_id, seconds=20)
            return {
                "workload": "message-queue-outages",
                "restarts": restarts,
                "purges": purges,
                "stopped_seconds": stop_seconds,
                "frozen_seconds": freeze_seconds,
                **outages.figures(),
                "forged_per_queue": forged,
                "forging_seconds": round(forging, 1),
                "runs_started_by_forged": 0,
            }
        finally:
            system.end_all()


def _p95(values: list[float]) -> float:
    return values[min(len(values) - 1, int(len(values) * 0.95))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Outages of RabbitMQ under load; prints one JSON line.")
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--purges", type=int, default=3)
    parser.add_argument("--stop-seconds", type=float, default=30.0)
    parser.add_argument("--freeze-seconds", type=float, default=30.0)
    parser.add_argument("--forged", type=int, default=5000)
    chosen = vars(parser.parse_args())
    directory = Path(tempfile.mkdtemp(prefix="scheduler-bench-", dir="/tmp"))
    try:
        print(json.dumps(measure(directory, **chosen)), flush=True)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
