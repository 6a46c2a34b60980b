"""Dispatchers and workers that are ended with SIGKILL while they work."""

import itertools
import time
from collections.abc import Callable

from benchmarks.message_queue_outages import Load
from fixtures.history_spans import Kill, takeovers
from fixtures.processes import RunningProcess
from torture.round import Figure, Tally, Turn, broken, judged, load_figures, others
from torture.system import LEASE_SECONDS, READY, TortureSystem, can_be_elsewhere, torture_system, until

_BUSY = """
SELECT DISTINCT session.pid FROM scheduler.worker_sessions AS session
JOIN scheduler.task_runs AS run ON run.session_id = session.id AND run.status = 'RUNNING'
WHERE session.state = 'ALIVE'
"""
_UNFINISHED = "SELECT count(*) FROM scheduler.task_runs WHERE status IN ('PENDING', 'DISPATCHED', 'RUNNING')"
_ROOM_SECONDS_MAX = 20.0
_ONE_WITHOUT_KEY_OF = 3
"""So many triggers have one without a key: only these make runs of tasks that stand alone by one statement."""
_TAKEOVER_SECONDS_MAX = LEASE_SECONDS + 5


def dispatcher_kills(turn: Turn, *, dispatchers: int = 3, tasks: int = 25) -> Tally:
    """Tasks that are due every second, and dispatchers of which one is killed about twice a second."""
    with torture_system(turn.seed) as system:
        system.start_api()
        for _ in range(2):
            system.start_worker(places=30)
        parts = [system.start_dispatcher() for _ in range(dispatchers)]
        system.wait_for_workers(2)
        system.make_ticking(tasks)

        def kill_one(_: int) -> bool:
            time.sleep(system.rng.uniform(0.05, 0.5))
            ready = [place for place, part in enumerate(parts) if "dispatcher ready" in part.output]
            if not ready:
                return False
            place = system.rng.choice(ready)
            system.kill(parts[place])
            parts[place] = system.start_dispatcher()
            return True

        kills = until(turn.deadline, turn.cycles, kill_one)
        system.stop_ticking()
        history, found = system.judge()
        run_slots = sum(slot.run_id is not None for slot in history.slots)
        without_run = sum(slot.slots for slot in history.slots if slot.run_id is None)
        return judged(turn, kills, found, slots=run_slots, without_run=without_run)


def dispatcher_figures(tally: Tally) -> list[Figure]:
    """What of the slots."""
    rules = ("slot lost", "slot doubled")
    return [
        Figure("slots fired", tally.count("slots"), least=1),
        Figure("slots lost", broken(tally, "slot lost"), 0),
        Figure("slots doubled", broken(tally, "slot doubled"), 0),
        others(tally, *rules),
    ]


class BusyWorkers:
    """Workers of which half are as if on hosts of their own, and of which one that runs something can be chosen."""

    def __init__(self, system: TortureSystem, count: int, places: int) -> None:
        self._system = system
        self._places = places
        self._workers = [self._start(place) for place in range(count)]
        system.wait_for_workers(count)

    def choose(self) -> int | None:
        """The place of one that runs something, while there are others that can take that over."""
        busy = {pid for (pid,) in self._system.rows(_BUSY)}
        ready = [place for place, worker in enumerate(self._workers) if worker.is_running and READY in worker.output]
        places = [place for place in ready if self._workers[place].pid in busy]
        return self._system.rng.choice(places) if places and len(ready) > len(self._workers) // 2 else None

    @staticmethod
    def is_elsewhere(place: int) -> bool:
        """Whether no dispatcher can see that the worker at a place dies."""
        return place % 2 == 1 and can_be_elsewhere()

    def at(self, place: int) -> RunningProcess:
        """The worker at a place."""
        return self._workers[place]

    def replace(self, place: int, end: Callable[[RunningProcess], object]) -> None:
        """End one in some way, and start another in its place."""
        end(self._workers[place])
        self._workers[place] = self._start(place)

    def _start(self, place: int) -> RunningProcess:
        return self._system.start_worker(self._places, elsewhere=self.is_elsewhere(place))


def steady_load(
    system: TortureSystem, tasks: list[str], per_second: float, count: int = 2, most: int | None = None
) -> Load:
    """Triggers of these tasks in turns, each for so many runs, each sent until it is answered; a third without a key.

    With `most`, none while so many runs have not ended: a run that waits for a place says nothing of a takeover.
    """

    # None is left out for long, and which of them comes without a key is chance.
    chosen = (task for _ in itertools.count() for task in system.rng.sample(tasks, len(tasks)))
    numbers = itertools.count()

    def trigger() -> int:
        deadline = time.monotonic() + _ROOM_SECONDS_MAX
        while most is not None and system.number(_UNFINISHED) > most and time.monotonic() < deadline:
            time.sleep(0.05)
        has_key = next(numbers) % _ONE_WITHOUT_KEY_OF > 0
        return system.caller.trigger(next(chosen), count if has_key else 1, has_key=has_key)[0]

    return Load(trigger, per_second)


def worker_kills(turn: Turn, *, workers: int = 5, places: int = 12) -> Tally:
    """Workers killed while they run jobs of all kinds, half of them where no dispatcher can see that they died.

    Where this machine cannot give them a host of their own, all die where one sees it; it is told how many did not.
    """
    with torture_system(turn.seed) as system:
        system.start_api()
        for _ in range(2):
            system.start_dispatcher()
        busy = BusyWorkers(system, workers, places)
        load = steady_load(system, system.make_tasks(), 6, most=places)
        load.start()
        killed: list[Kill] = []
        unseen = 0

        def kill_one(_: int) -> bool:
            nonlocal unseen
            time.sleep(system.rng.uniform(0.05, 0.4))
            place = busy.choose()
            if place is None:
                return False
            busy.replace(place, lambda worker: killed.append(Kill(worker.pid, system.kill(worker))))
            unseen += busy.is_elsewhere(place)
            return True

        kills = until(turn.deadline, turn.cycles, kill_one)
        load.stop()
        history, found = system.judge()
        losses = sum(run.losses for run in history.runs)
        tally = judged(turn, kills, found, losses=losses, unseen=unseen, **system.load_of(history))
        tally.samples["takeover"] = takeovers(history, killed)
        return tally


def worker_figures(tally: Tally) -> list[Figure]:
    """What of the runs."""
    rules = ("lost", "stuck", "excess start", "started twice", "uncounted start")
    return [
        *load_figures(tally),
        Figure("kills that no dispatcher could see", tally.count("unseen")),
        Figure("attempts lost with their worker", tally.count("losses"), least=1),
        Figure("runs lost", broken(tally, "lost", "stuck"), 0),
        Figure("excess starts", broken(tally, "excess start", "started twice", "uncounted start"), 0),
        Figure("takeover p50", round(tally.percentile("takeover", 0.5), 2), None, "s"),
        Figure("takeover p99", round(tally.percentile("takeover", 0.99), 2), _TAKEOVER_SECONDS_MAX, "s"),
        others(tally, *rules),
    ]
