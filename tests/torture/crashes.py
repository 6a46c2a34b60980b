"""Each part ended at each point where a statement of its own passes, in each flow that reaches the point."""

import random
import threading
import time
from collections.abc import Collection
from typing import NamedTuple

from fixtures.crash_points import CrashAt, CrashPoint, StatementProxy, StatementRule, changes_something
from fixtures.history_checker import Violation, violations
from fixtures.processes import RunningProcess
from torture.crash_flows import FLOWS, CrashSystem, make_flow_tasks
from torture.round import Figure, Tally, Turn, judged
from torture.system import READY, torture_system

PARTS = ("api", "dispatcher", "worker")
START = "start"
"""The flow of points that are reached while a part starts."""
_FLOW_SECONDS_MAX = 60.0
_MISSED_MIN, _MISSED_SHARE = 5, 4
"""Some points depend on how things meet, and are not reached again: few, or at most one for so many that are."""
_SETTINGS = {
    # A drain of a second's jobs hands them back.
    "SCHEDULER_WORKER__DRAIN_SECONDS": "0.2",
    # What a lost ring costs is not what is looked for here.
    "SCHEDULER_WORKER__POLL_INTERVAL_SECONDS": "1",
    "SCHEDULER_DISPATCHER__POLL_INTERVAL_SECONDS": "1",
}


class Case(NamedTuple):
    """A part, the point at which it crashes, and the flow meanwhile."""

    part: str
    point: CrashPoint
    flow: str

    def __str__(self) -> str:
        return f"{self.part} {self.point} in {self.flow}"


class Crashes:
    """One of each part behind a proxy of its own, of which one after another is made to crash."""

    def __init__(self, crash: CrashSystem, proxies: dict[str, StatementProxy]) -> None:
        self.crash = crash
        self.system = crash.system
        self._proxies = proxies

    def recorded(self, flows: Collection[str]) -> list[Case]:
        """Every case of these flows: each is gone through once, and what passes meanwhile is written down."""
        cases = []
        for part in PARTS if START in flows else ():
            rule = self._proxies[part].rule = StatementRule()
            self.system.kill(self.crash.parts[part])
            self.crash.replace(part)
            self.wait_until_ready(part)
            cases += [Case(part, point, START) for point in rule.seen if changes_something(point)]
        for flow in set(flows) & FLOWS.keys():
            rules = {part: StatementRule() for part in PARTS}
            for part, rule in rules.items():
                self._proxies[part].rule = rule
            self._go_through(flow)
            cases += [
                Case(part, point, flow) for part in PARTS for point in rules[part].seen if changes_something(point)
            ]
        return sorted(set(cases))

    def play(self, case: Case) -> bool:
        """Go through the case's flow with its crash; whether the point was reached."""
        victim = self.crash.parts[case.part]
        if case.flow == START:
            self.system.kill(victim)
        ended = threading.Event()
        rule = CrashAt(case.point, lambda: self._end(case.part))
        self._proxies[case.part].rule = rule
        if case.flow == START:
            self.crash.replace(case.part)
        mender = threading.Thread(target=self._mend, args=[case, rule, ended])
        mender.start()
        try:
            if case.flow == START:
                self._ready_or_crashed(case.part, rule)
            else:
                self._go_through(case.flow)
        finally:
            has_crashed = rule.disarm()
            ended.set()
            mender.join()
        self._proxies[case.part].rule = StatementRule()
        self.crash.replace(case.part)
        if case.flow == START:
            self._go_through("single")
        return has_crashed

    def _end(self, part: str) -> None:
        self.system.kill(self.crash.parts[part])

    def _mend(self, case: Case, rule: CrashAt, ended: threading.Event) -> None:
        while not rule.has_crashed.wait(0.02):
            if ended.is_set():
                return
        self._proxies[case.part].rule = StatementRule()
        self.crash.replace(case.part)

    def _go_through(self, flow: str) -> None:
        FLOWS[flow](self.crash)
        self.system.come_to_rest(_FLOW_SECONDS_MAX)

    def wait_until_ready(self, part: str) -> None:
        """Return when a part has started."""
        self.crash.parts[part].wait_for_output(READY)

    def _ready_or_crashed(self, part: str, rule: CrashAt) -> None:
        deadline = time.monotonic() + _FLOW_SECONDS_MAX
        while not rule.has_crashed.is_set() and time.monotonic() < deadline:
            if READY in self.crash.parts[part].output:
                # What is still said at a start is said by then.
                time.sleep(0.5)
                return
            time.sleep(0.02)


def crash_points(turn: Turn, *, flows: Collection[str] = (START, *FLOWS)) -> Tally:
    """The cases of these flows that are not done yet, in an order of the seed."""
    with torture_system(turn.seed, _SETTINGS) as system:
        proxies = {part: system.proxy() for part in PARTS}
        parts: dict[str, RunningProcess] = {}
        replacing = threading.Lock()

        def replace(part: str) -> None:
            with replacing:
                # A flow that ends its worker and the mender of a crash may both be about to do it.
                if part not in parts or not parts[part].is_running:
                    parts[part] = system.start(f"scheduler-{part}", through=proxies[part])

        for part in PARTS:
            replace(part)
        crashes = Crashes(CrashSystem(system, parts, replace), proxies)
        for part in PARTS:
            crashes.wait_until_ready(part)
        make_flow_tasks(system)
        cases = [case for case in crashes.recorded(flows) if str(case) not in turn.done]
        random.Random(turn.seed).shuffle(cases)
        known: set[Violation] = set()
        told: list[Violation] = []
        done: list[str] = []
        missed = 0
        for case in cases[: turn.cycles]:
            if time.monotonic() >= turn.deadline:
                break
            new: set[Violation] = set()
            try:
                is_reached = crashes.play(case)
            except AssertionError as error:
                is_reached = True
                new = {Violation("stuck", str(case), str(error))}
            if is_reached:
                done.append(str(case))
            missed += not is_reached
            new |= set(violations(system.history())) - known
            known |= new
            told += [violation._replace(what=f"{violation.what} (after: {case})") for violation in sorted(new)]
            if any(violation.rule == "stuck" for violation in new):
                # Every case to come would wait for it in vain: they begin anew with another system.
                break
        _, last = system.judge()
        told += [violation for violation in last if violation not in known]
        tally = judged(turn, len(done), told, missed=missed)
        tally.done = done
        tally.is_over = len(done) + missed == len(cases)
        return tally


def crash_figures(tally: Tally) -> list[Figure]:
    """How many points there were, and what of the promises."""
    points = {name.rpartition(" in ")[0] for name in tally.done}
    return [
        Figure("points", len(points), least=1),
        Figure("flows", len({name.rpartition(" in ")[2] for name in tally.done}), least=1),
        Figure(
            "points that were not reached again",
            tally.count("missed"),
            max(_MISSED_MIN, len(tally.done) // _MISSED_SHARE),
        ),
        Figure("violations", sum(round(n) for name, n in tally.counts.items() if name.startswith("violations: ")), 0),
    ]
