"""Workers that are replaced one after another under load, as at an upgrade."""

import time

from fixtures.processes import RunningProcess
from torture.kills import steady_load
from torture.round import Figure, Tally, Turn, broken, judged, load_figures, others
from torture.system import READY, TortureSystem, torture_system

WORKERS = 20
_PLACES = 3
_STOP_SECONDS_MAX = 45.0
_NAPS = (0.2, 0.5, 3.0)
_SHORT_DRAIN_SECONDS = "0.5"
"""The drain of every other worker: the longest jobs do not end within it, and are handed back."""


def rolling_restart(turn: Turn, *, workers: int = WORKERS) -> Tally:
    """Each worker in turn is told to end and gets a successor; nothing may be counted against any run."""
    with torture_system(turn.seed) as system:
        system.start_api()
        system.start_dispatcher()
        parts: list[RunningProcess] = []
        for _ in range(workers):
            parts.append(_start(system, len(parts)))
            # Twenty starts at once would take each other the time that a lease is.
            system.wait_for_workers(len(parts))
        load = steady_load(system, system.make_tasks(naps=_NAPS), 5)
        load.start()
        stops: list[float] = []
        codes: list[int] = []
        for number in range(turn.cycles):
            if time.monotonic() >= turn.deadline:
                break
            place = number % workers
            began = time.monotonic()
            codes.append(parts[place].stop(_STOP_SECONDS_MAX))
            stops.append(time.monotonic() - began)
            parts[place] = _start(system, place)
            parts[place].wait_for_output(READY)
        load.stop()
        history, found = system.judge()
        tally = judged(
            turn,
            len(stops),
            found,
            failures=sum(run.failures for run in history.runs),
            losses=sum(run.losses for run in history.runs),
            hand_backs=sum(run.hand_backs for run in history.runs),
            wrong_exits=sum(code != 0 for code in codes),
            **system.load_of(history),
        )
        tally.samples["stop"] = stops
        return tally


def _start(system: TortureSystem, place: int) -> RunningProcess:
    if place % 2 == 0:
        return system.start_worker(_PLACES, SCHEDULER_WORKER__DRAIN_SECONDS=_SHORT_DRAIN_SECONDS)
    return system.start_worker(_PLACES)


def rolling_figures(tally: Tally) -> list[Figure]:
    """What was counted against runs."""
    return [
        *load_figures(tally),
        Figure("failures counted", tally.count("failures"), 0),
        Figure("losses counted", tally.count("losses"), 0),
        Figure("runs lost", broken(tally, "lost", "stuck"), 0),
        Figure("hand-backs", tally.count("hand_backs"), least=1),
        Figure("exits with another code than 0", tally.count("wrong_exits"), 0),
        Figure("stop p99", round(tally.percentile("stop", 0.99), 2), None, "s"),
        others(tally, "lost", "stuck"),
    ]
