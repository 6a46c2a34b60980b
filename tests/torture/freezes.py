"""Workers stopped with SIGSTOP for longer than their lease, and woken when others have their runs."""

import contextlib
import json
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from fixtures.history_spans import Kill, overlaps, takeovers
from fixtures.processes import RunningProcess, wait_until
from torture.kills import steady_load
from torture.round import Figure, Tally, Turn, broken, judged, load_figures, others
from torture.system import LEASE_SECONDS, TortureSystem, torture_system

_LOST_SECONDS_MAX = LEASE_SECONDS + 15
_HELD = """
SELECT session.id, count(run.id) FROM scheduler.worker_sessions AS session
LEFT JOIN scheduler.task_runs AS run ON run.session_id = session.id AND run.status = 'RUNNING'
WHERE session.state = 'ALIVE' AND session.pid = %(pid)s GROUP BY session.id
"""
_IS_ALIVE = "SELECT count(*) FROM scheduler.worker_sessions WHERE id = %(session_id)s AND state = 'ALIVE'"
_TAKEOVER_SECONDS_MAX = LEASE_SECONDS + 5


def freezes(turn: Turn, *, workers: int = 5, at_once: int = 3) -> Tally:
    """So many workers frozen at the same time, each while it runs something, and thawed once its session is lost."""
    with torture_system(turn.seed) as system:
        system.start_api()
        system.start_dispatcher()
        parts = [system.start_worker(12) for _ in range(workers)]
        system.wait_for_workers(workers)
        load = steady_load(system, system.make_tasks(naps=(0.3, 1.5, 3.0)), 6)
        load.start()
        frozen = _Freezer(system, parts, turn)
        with ThreadPoolExecutor(at_once) as pool:
            for lane in [pool.submit(frozen.work) for _ in range(at_once)]:
                lane.result()
        load.stop()
        # It is stated how long they overlapped: a frozen machine can do nothing against that.
        history, found = system.judge(without=("overlap",))
        tally = judged(turn, len(frozen.stopped), found, lost_told=frozen.told, **system.load_of(history))
        tally.samples["takeover"] = takeovers(history, frozen.stopped)
        tally.samples["overlap"] = [seconds for _, seconds in overlaps(history)]
        assert all(part.is_running for part in parts), [part.tail() for part in parts if not part.is_running]
        return tally


class _Freezer:
    """Takes workers that run something in turn."""

    def __init__(self, system: TortureSystem, parts: list[RunningProcess], turn: Turn) -> None:
        self._system = system
        self._turn = turn
        self._free = list(parts)
        self._lock = threading.Lock()
        self._begun = 0
        self.stopped: list[Kill] = []
        self.told = 0

    def work(self) -> None:
        """Freeze and thaw until there have been enough, or the time is over."""
        while time.monotonic() < self._turn.deadline:
            with self._lock:
                if self._begun >= self._turn.cycles:
                    return
                self._begun += 1
                part = self._free.pop(self._system.rng.randrange(len(self._free)))
            if not self._freeze(part):
                with self._lock:
                    self._begun -= 1
            with self._lock:
                self._free.append(part)

    def _freeze(self, part: RunningProcess) -> bool:
        time.sleep(self._system.rng.uniform(0.1, 0.5))
        held = self._system.rows(_HELD, pid=part.pid)
        if not held or not held[0][1]:
            return False
        session_id = held[0][0]
        part.send(signal.SIGSTOP)
        at = time.time()
        try:
            wait_until(
                lambda: not self._system.number(_IS_ALIVE, session_id=session_id),
                _LOST_SECONDS_MAX,
                "the session of a frozen worker is lost",
            )
            time.sleep(self._system.rng.uniform(0.0, 0.5))
        finally:
            part.send(signal.SIGCONT)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: knows_lost(part.output, session_id), 20, "the thawed worker knows it")
            with self._lock:
                self.told += 1
        with self._lock:
            self.stopped.append(Kill(part.pid, at))
        return True


def knows_lost(output: str, session_id: int) -> bool:
    """Whether a worker has said that it lost this session: by its own clock perhaps before it was frozen."""
    lost = [json.loads(line) for line in output.splitlines() if '"session lost"' in line and line.endswith("}")]
    return any(line["session_id"] == session_id for line in lost)


def freeze_figures(tally: Tally) -> list[Figure]:
    """What of the reports."""
    rules = ("stale report", "resurrected", "held twice")
    return [
        *load_figures(tally),
        Figure("stale reports accepted", broken(tally, *rules), 0),
        Figure("thawed workers that did not know", tally.cycles - tally.count("lost_told"), 0),
        Figure("takeover p99", round(tally.percentile("takeover", 0.99), 2), _TAKEOVER_SECONDS_MAX, "s"),
        Figure("longest overlap of two attempts", round(tally.percentile("overlap", 1.0), 2), None, "s"),
        others(tally, *rules),
    ]
