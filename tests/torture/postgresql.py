"""PostgreSQL stopped at once, as by a power failure of its process, while everything works."""

import os
import signal
import time

from benchmarks.message_queue_outages import Load
from fixtures.processes import RunningProcess
from torture.kills import steady_load
from torture.round import Figure, Tally, Turn, broken, judged, load_figures, others
from torture.system import TortureSystem, torture_system, until


def stop_postgresql(system: TortureSystem) -> None:
    """Stop the server at once, without a word to anybody, and start it again: it recovers what was committed."""
    server = int((system.processes.state_dir / "postgresql/data/postmaster.pid").read_text().split()[0])
    os.kill(server, signal.SIGQUIT)
    # It says that its server has ended, and ends.
    system.postgresql.wait()
    system.postgresql = system.processes.start_up("--only", "postgresql")


def cancel_newest(system: TortureSystem) -> int:
    """Cancel the run that was answered last, if it has not ended yet; its id, or 0 where there is none."""
    newest = system.caller.calls[-1].run_ids[0] if system.caller.calls else 0
    if newest:
        system.caller.cancel(newest)
    return newest


def postgresql_stops(turn: Turn) -> Tally:
    """Immediate stops under triggers, cancels and schedules of every second."""
    with torture_system(turn.seed) as system:
        parts: list[RunningProcess] = [system.start_api()]
        parts += [system.start_dispatcher() for _ in range(2)]
        parts += [system.start_worker() for _ in range(2)]
        system.wait_for_workers(2)
        tasks = system.make_tasks(naps=(0.1, 0.4))
        system.make_ticking(10)
        load = steady_load(system, tasks, 8, count=1)
        load.start()
        cancels = Load(lambda: cancel_newest(system), 3)
        cancels.start()

        def stop_once(_: int) -> bool:
            time.sleep(system.rng.uniform(0.3, 2.0))
            stop_postgresql(system)
            return True

        stops = until(turn.deadline, turn.cycles, stop_once)
        load.stop()
        cancels.stop()
        system.stop_ticking()
        history, found = system.judge()
        assert all(part.is_running for part in parts), [part.tail() for part in parts if not part.is_running]
        return judged(
            turn,
            stops,
            found,
            acknowledged=len(history.calls) + len(history.cancels),
            cancels=len(history.cancels),
            repeated=system.caller.repeated,
            **system.load_of(history),
        )


def postgresql_figures(tally: Tally) -> list[Figure]:
    """What of what was answered."""
    rules = ("lost", "cancel lost", "slot lost", "slot doubled", "double effect")
    return [
        *load_figures(tally),
        Figure("changes acknowledged", tally.count("acknowledged"), least=1),
        Figure("cancels among them", tally.count("cancels"), least=1),
        Figure("calls that had to be repeated", tally.count("repeated")),
        Figure("acknowledged changes lost", broken(tally, "lost", "cancel lost", "slot lost"), 0),
        Figure("calls with a double effect", broken(tally, "double effect"), 0),
        Figure("slots doubled", broken(tally, "slot doubled"), 0),
        others(tally, *rules),
    ]
