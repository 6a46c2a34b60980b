"""RabbitMQ restarted and emptied under load."""

import contextlib
import time

from benchmarks.message_queue_outages import PURGE
from fixtures.broker import RabbitMQServer, running_rabbitmq
from fixtures.processes import wait_until
from torture.kills import steady_load
from torture.round import Figure, Tally, Turn, broken, judged, load_figures, others
from torture.system import TortureSystem, torture_system

_RETURN_SECONDS_MAX = 15.0
_RESTARTS_PER_PURGE = 5
_STARTED_SINCE = "SELECT count(*) FROM scheduler.task_runs WHERE started_at > to_timestamp(%(at)s)"


def purge(broker: RabbitMQServer) -> None:
    """Empty every queue that there is."""
    broker.control("eval", PURGE)


def rabbitmq(turn: Turn) -> Tally:
    """Restarts, and for each five of them a moment in which all queues are emptied."""
    with (
        running_rabbitmq() as broker,
        torture_system(turn.seed, {"SCHEDULER_MESSAGE_QUEUE__URL": broker.url}) as system,
    ):
        system.start_api()
        parts = [system.start_dispatcher() for _ in range(2)] + [system.start_worker(15) for _ in range(2)]
        system.wait_for_workers(2)
        load = steady_load(system, system.make_tasks(), 5)
        load.start()
        returns: list[float] = []
        purges = 0
        for number in range(turn.cycles):
            if time.monotonic() >= turn.deadline:
                break
            time.sleep(system.rng.uniform(0.2, 1.5))
            if number % _RESTARTS_PER_PURGE == 0:
                purge(broker)
                purges += 1
            broker.restart()
            returns.append(_seconds_to_claim(system))
        load.stop()
        history, found = system.judge()
        assert all(part.is_running for part in parts), [part.tail() for part in parts if not part.is_running]
        tally = judged(turn, len(returns), found, purges=purges, **system.load_of(history))
        tally.counts["second attempts"] = sum(run.attempt > 1 for run in history.runs)
        tally.samples["return"] = returns
        return tally


def _seconds_to_claim(system: TortureSystem) -> float:
    back = time.time()
    with contextlib.suppress(AssertionError):
        wait_until(lambda: system.number(_STARTED_SINCE, at=back), 60, "a run starts after the broker's return")
    return time.time() - back


def rabbitmq_figures(tally: Tally) -> list[Figure]:
    """What of the runs."""
    twice = ("started twice", "uncounted start", "excess start")
    return [
        *load_figures(tally),
        Figure("purges", tally.count("purges")),
        Figure("runs lost", broken(tally, "lost", "stuck"), 0),
        Figure("runs started twice", broken(tally, *twice) + tally.count("second attempts"), 0),
        Figure(
            "first claim after the return, max", round(tally.percentile("return", 1.0), 2), _RETURN_SECONDS_MAX, "s"
        ),
        others(tally, "lost", "stuck", *twice),
    ]
