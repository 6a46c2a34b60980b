"""Everything at once for a long time: steady work, faults by chance, and what is left of them."""

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack

from fixtures.broker import RabbitMQServer, running_rabbitmq
from torture.broker import purge
from torture.kills import BusyWorkers, steady_load
from torture.leaks import Leaks, growth
from torture.postgresql import stop_postgresql
from torture.round import Figure, Tally, Turn, judged, load_figures, others
from torture.system import LEASE_SECONDS, TortureSystem, torture_system

_CALM_AFTER_SECONDS = 10.0
"""How long after a fault what is slow is still put down to it: a lease, a poll, and some."""
_BETWEEN_SECONDS = (16.0, 28.0)
_SAMPLE_SECONDS = 5.0
_DELAYS = """
SELECT extract(epoch FROM coalesce(first.started_at, run.started_at) - run.not_before)::float8
FROM scheduler.task_runs AS run
LEFT JOIN scheduler.task_run_attempts AS first ON first.run_id = run.id AND first.attempt = 1
WHERE run.created_at BETWEEN to_timestamp(%(begin)s) AND to_timestamp(%(end)s) AND run.losses = 0
"""


def soak(turn: Turn, *, between_seconds: tuple[float, float] = _BETWEEN_SECONDS) -> Tally:
    """Faults until the deadline; a cycle is a fault."""
    with ExitStack() as stack:
        broker = stack.enter_context(running_rabbitmq())
        settings = {"SCHEDULER_MESSAGE_QUEUE__URL": broker.url}
        system = stack.enter_context(torture_system(turn.seed, settings))
        api = system.start_api()
        witnesses = [api, system.start_dispatcher(), system.start_worker(10)]
        faults = _Faults(system, broker)
        tasks = system.make_tasks()
        system.make_ticking(5)
        load = steady_load(system, tasks, 4)
        load.start()
        leaks = Leaks(system, witnesses)
        calm: list[tuple[float, float]] = []
        counted: dict[str, int] = {}
        done = 0
        since = time.time()
        while time.monotonic() < turn.deadline and done < turn.cycles:
            pause = time.monotonic() + system.rng.uniform(*between_seconds)
            while time.monotonic() < min(pause, turn.deadline):
                if time.time() > since:
                    leaks.sample(_SAMPLE_SECONDS)
                time.sleep(0.2)
            calm.append((since, time.time() - 1.0))
            name = system.rng.choice(list(faults.all))
            faults.all[name]()
            counted[name] = counted.get(name, 0) + 1
            since = time.time() + _CALM_AFTER_SECONDS
            done += 1
        load.stop()
        system.stop_ticking()
        history, found = system.judge(without=("overlap",))
        assert all(part.is_running for part in witnesses), [part.tail() for part in witnesses if not part.is_running]
        delays = [
            row[0] for begin, end in calm if begin < end for row in system.rows(_DELAYS, begin=begin, end=end) if row[0]
        ]
        tally = judged(
            turn,
            done,
            found,
            slots=sum(slot.run_id is not None for slot in history.slots),
            **system.load_of(history),
            **{f"fault: {name}": count for name, count in counted.items()},
        )
        tally.samples = {"delay": delays, **leaks.samples}
        return tally


class _Faults:
    """What can happen, each over when its call returns."""

    def __init__(self, system: TortureSystem, broker: RabbitMQServer) -> None:
        self._system = system
        self._broker = broker
        self._workers = BusyWorkers(system, 2, 10)
        self._dispatcher = system.start_dispatcher()
        # One more of each behind a proxy, so that something can happen to its connections.
        self._proxies = [system.proxy() for _ in range(2)]
        system.start_dispatcher(self._proxies[0])
        system.start_worker(5, through=self._proxies[1])
        self.all: dict[str, Callable[[], None]] = {
            "worker killed": self._kill_worker,
            "dispatcher killed": self._kill_dispatcher,
            "worker frozen": self._freeze_worker,
            "PostgreSQL stopped": lambda: stop_postgresql(system),
            "RabbitMQ restarted": broker.restart,
            "RabbitMQ emptied": lambda: purge(broker),
            "connections cut": lambda: self._each(lambda proxy: proxy.cut()),
            "connections reset": lambda: self._each(lambda proxy: proxy.reset()),
            "connections half open": lambda: self._each(lambda proxy: proxy.halve()),
            "connections cut within a message": lambda: self._each(
                lambda proxy: proxy.cut_after(system.rng.randrange(1, 400))
            ),
            "connections silent": self._silence,
            "connections slow": self._slow,
        }

    def _kill_worker(self) -> None:
        place = self._workers.choose()
        if place is not None:
            self._workers.replace(place, self._system.kill)

    def _kill_dispatcher(self) -> None:
        self._system.kill(self._dispatcher)
        self._dispatcher = self._system.start_dispatcher()

    def _freeze_worker(self) -> None:
        place = self._workers.choose()
        if place is None:
            return
        worker = self._workers.at(place)
        worker.send(signal.SIGSTOP)
        time.sleep(2 * LEASE_SECONDS)
        worker.send(signal.SIGCONT)

    def _silence(self) -> None:
        self._each(lambda proxy: proxy.silence())
        time.sleep(2 * LEASE_SECONDS)
        self._each(lambda proxy: proxy.resume())

    def _slow(self) -> None:
        self._each(lambda proxy: proxy.delay(0.05))
        time.sleep(2 * LEASE_SECONDS)
        self._each(lambda proxy: proxy.delay(0))

    def _each(self, act: Callable[..., None]) -> None:
        for proxy in self._proxies:
            act(proxy)


def soak_figures(tally: Tally) -> list[Figure]:
    """What has grown, and how late runs were while nothing happened."""
    return [
        *load_figures(tally),
        Figure("slots fired", tally.count("slots"), least=1),
        Figure("start delay outside faults p50", round(tally.percentile("delay", 0.5) * 1000, 1), None, "ms"),
        Figure("start delay outside faults p99", round(tally.percentile("delay", 0.99) * 1000, 1), None, "ms"),
        Figure("growth of three processes' memory", round(growth(tally.samples.get("memory", ())), 1), 20, "MiB"),
        Figure("growth of their open files", growth(tally.samples.get("descriptors", ())), 10),
        Figure("growth of connections to PostgreSQL", growth(tally.samples.get("connections", ())), 10),
        Figure("growth of dead tuples", growth(tally.samples.get("dead tuples", ())), 5000),
        others(tally),
    ]
