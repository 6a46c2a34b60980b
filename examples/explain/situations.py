"""Brings runs into situations in which they cannot run, and compares what `scheduler explain` says with what is so.

It starts a system of its own, on a free port of this machine and with its files in a temporary directory, and ends it.
Exit code 0: every explanation named exactly the blockers that are there.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TASKS = Path(__file__).with_name("tasks.toml")
SECONDS_MAX = 60.0


class Site:
    """A system whose parts are started and stopped one by one; commands are typed as a user would."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = {
            **os.environ,
            "SCHEDULER_STATE_DIR": os.environ.get("SCHEDULER_STATE_DIR", str(directory)),
            "SCHEDULER_API__BIND_ADDRESS": f"127.0.0.1:{free_port()}",
            "SCHEDULER_WORKER__ALLOW_ROOT": "true",
            "SCHEDULER_WORKER__SHELL_ENABLED": "true",
        }
        self.checked = 0
        self.wrong: list[str] = []

    def start(self, name: str, *command: str, **settings: str) -> None:
        """Start a part of the system."""
        with (self._directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, env={**self._environment, **settings}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def start_server(self, **settings: str) -> None:
        """Database and API."""
        self.start("server", "scheduler", "up", "--only", "postgresql,api", **settings)
        self.wait("the API answers", lambda: self._lives("server") and self.ask("status")["ready"])

    def start_worker(self, worker_id: str, queue: str, places: int) -> None:
        """A worker of one queue."""
        self.start(
            worker_id,
            "scheduler-worker",
            SCHEDULER_WORKER__WORKER_ID=worker_id,
            SCHEDULER_WORKER__QUEUES=queue,
            SCHEDULER_WORKER__MAX_CONCURRENT_TASKS=str(places),
            SCHEDULER_WORKER__DRAIN_SECONDS="0",
        )

    def stop(self, *names: str) -> None:
        """Stop parts of the system, all of them together."""
        processes = [self._processes.pop(name) for name in names or reversed(list(self._processes))]
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)

    def type(self, *words: str) -> str:
        """Type a command and return what it prints."""
        done = subprocess.run(
            ["scheduler", *words], env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"scheduler {' '.join(words)} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def ask(self, *words: str) -> Any:
        """Type a command and return what it answers."""
        return json.loads(self.type(*words, "-o", "json"))

    def _lives(self, name: str) -> bool:
        """Whether a part has not ended; SystemExit with what it said otherwise."""
        if (code := self._processes[name].poll()) is not None:
            sys.exit(f"{name} ended with {code}:\n{(self._directory / f'{name}.log').read_text()[-4000:]}")
        return True

    def trigger(self, task: str) -> int:
        """Run a task by hand; the run's id."""
        run_id: int = self.ask("task", "trigger", task)["id"]
        return run_id

    def run_of(self, task: str, *statuses: str, **fields: Any) -> int:
        """The oldest run of a task that is in one of these statuses and has these fields, once there is one."""

        def find() -> int | None:
            runs = self.ask("run", "list", "--task", task, "--limit", "200")["items"]
            found = [
                run["id"]
                for run in runs
                if run["status"] in statuses and all(run[name] == value for name, value in fields.items())
            ]
            return min(found, default=None)

        found: int = self.wait(f"a run of {task} is {' or '.join(statuses)}", find)
        return found

    def check(self, title: str, expected: set[str], *words: str | int) -> None:
        """Compare the codes of an explanation with those that are expected."""
        seen: set[str] = set()

        def is_told() -> bool:
            seen.clear()
            seen.update(blocker["code"] for blocker in self.ask("explain", *map(str, words))["blockers"])
            return seen == expected

        try:
            self.wait(title, is_told, seconds=20)
        except TimeoutError:
            self.wrong.append(title)
        self.checked += 1
        verdict = "WRONG" if title in self.wrong else "ok"
        print(f"{verdict:5}  {title}: {', '.join(sorted(seen)) or 'nothing'}", flush=True)

    @staticmethod
    def wait(what: str, condition: Callable[[], Any], seconds: float = SECONDS_MAX) -> Any:
        """What the condition answers, once that is something."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if answer := condition():
                    return answer
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds:g} s: {what}")
            time.sleep(0.2)


def free_port() -> int:
    """A port of this machine that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def workers(site: Site) -> None:
    """Nobody takes it, or nobody has room."""
    gpu = site.trigger("gpu")
    site.check("no worker takes the queue", {"NO_WORKER"}, "run", gpu)
    site.run_of("holder", "RUNNING")
    site.check("the only place is taken", {"PLACES_BUSY"}, "run", site.trigger("next"))
    site.type("task", "pause", "gpu")
    site.check("paused, and no worker takes the queue", {"PAUSED", "NO_WORKER"}, "run", gpu)
    site.type("task", "pause", "idle")
    site.check("paused", {"PAUSED"}, "run", site.trigger("idle"))


def times(site: Site) -> None:
    """Its time has not come, or an earlier run is in its way."""
    site.check("waits for its next attempt", {"BACKOFF"}, "run", site.run_of("flaky", "PENDING", attempt=1))
    site.check("waits for the run before", {"OVERLAP"}, "run", site.run_of("serial", "PENDING"))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    site.type("task", "create", "jittered", "--at", now, "--jitter", "24h", "--command", "true")
    jittered = site.run_of("jittered", "PENDING")
    site.check("delayed by its jitter", {"NOT_DUE"}, "run", jittered)
    site.type("task", "pause", "jittered")
    site.check("delayed by its jitter, and paused", {"NOT_DUE", "PAUSED"}, "run", jittered)


def flows(site: Site) -> None:
    """Others have to end first."""
    site.type("task", "pause", "publish")
    site.trigger("extract")
    site.check("a run upstream has not ended", {"UPSTREAM"}, "run", site.run_of("load", "PENDING"))
    site.check("a trigger rule waits", {"UPSTREAM", "TRIGGER_RULE"}, "run", site.run_of("alarm", "PENDING"))
    publish = site.run_of("publish", "PENDING")
    site.check("three things at once", {"UPSTREAM", "PAUSED", "NO_WORKER"}, "run", publish)
    site.check("a slot of another schedule is missing", {"INTERVAL"}, "run", site.run_of("digest", "PENDING"))
    head = site.trigger("parts")
    site.check("a group runs", {"GROUP_RUNNING"}, "run", head)
    site.check("the group is full", {"GROUP_FULL"}, "run", site.run_of("parts", "PENDING", shard_index=2))


def turns(site: Site) -> None:
    """Limits, other runs' turns, and workers that lack what it needs."""
    site.trigger("caller")
    site.run_of("caller", "RUNNING")
    caller = site.trigger("caller")
    site.check("its limit is full", {"LIMIT_FULL"}, "run", caller)
    site.type("task", "pause", "caller")
    site.check("its limit is full, and it is paused", {"LIMIT_FULL", "PAUSED"}, "run", caller)
    site.trigger("reporter")
    site.run_of("reporter", "COMPLETED")
    site.check("the starts of this hour are used up", {"RATE_LIMITED"}, "run", site.trigger("reporter"))
    site.check("no worker has the tag", {"NO_TAGGED_WORKER"}, "run", site.trigger("tagged"))
    site.check("no worker has so much", {"NO_RESOURCES"}, "run", site.trigger("greedy"))
    site.check("nobody has its strategy", {"STRATEGY_UNKNOWN"}, "run", site.trigger("chosen"))
    # The run that is the background's share, and the next one.
    for _ in range(2):
        site.trigger("sweep")
    site.check("others go before the background", {"BACKGROUND", "PLACES_BUSY"}, "run", site.trigger("sweep"))
    for task, code in (("tenants", "FAIR_TURN"), ("many", "WINDOW_FULL")):
        site.type("task", "trigger", task, "--count", "10")
        site.run_of(task, "DISPATCHED")
        site.check(f"others of {task} come first", {code, "PLACES_BUSY"}, "run", site.run_of(task, "PENDING"))


def tasks_and_slots(site: Site) -> None:
    """Tasks that make no run, and slots that have none."""
    site.check("nothing starts the task", {"NO_START"}, "task", "parts")
    site.check("the task's next slot is far", {"NOT_DUE"}, "task", "yearly")
    site.check("no such slot", {"NO_SLOT"}, "slot", "yearly", "2099-07-01T00:00:00Z")
    site.check("the slot is far", {"NOT_DUE"}, "slot", "yearly", "2099-01-01T00:00:00Z")


def outages(site: Site) -> None:
    """Parts of the system are away."""
    site.stop("dispatcher")
    unsorted = site.trigger("reporter")
    site.check("no dispatcher sorts it", {"DISPATCHER_DOWN", "NOT_SORTED", "RATE_LIMITED"}, "run", unsorted)
    conditional = site.trigger("conditional")
    site.check("no dispatcher evaluates its condition", {"DISPATCHER_DOWN", "NOT_EXPANDED"}, "run", conditional)
    slot = datetime.now(UTC).isoformat(timespec="seconds")
    site.check("no dispatcher records the slot", {"DISPATCHER_DOWN", "NOT_RECORDED"}, "slot", "digest", slot)
    site.check("no dispatcher makes the task's runs", {"DISPATCHER_DOWN", "NOT_RECORDED"}, "task", "digest")
    site.stop("main", "busy", "server")
    site.start_server(SCHEDULER_MESSAGE_QUEUE__URL=f"amqp://127.0.0.1:{free_port()}")
    site.check(
        "the broker is away, and so are the workers",
        {"NO_WORKER", "BROKER_UNREACHABLE"},
        "run",
        site.run_of("next", "DISPATCHED"),
    )


@contextmanager
def running_site() -> Iterator[Site]:
    """A system with a dispatcher and two workers, and the tasks."""
    with tempfile.TemporaryDirectory(prefix="scheduler-situations-") as directory:
        Path(directory).chmod(0o711)
        site = Site(Path(directory))
        try:
            site.start_server()
            site.type("task", "apply", str(TASKS))
            site.start("dispatcher", "scheduler-dispatcher")
            site.start_worker("main", "default", 20)
            site.start_worker("busy", "busy", 1)
            for task in ("holder", "flaky"):
                site.trigger(task)
            yield site
        finally:
            site.stop()


def main() -> int:
    """Try all situations."""
    with running_site() as site:
        for bring_about in (workers, times, flows, turns, tasks_and_slots, outages):
            bring_about(site)
        print(f"{site.checked} situations, {len(site.wrong)} told wrongly")
        return 1 if site.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
