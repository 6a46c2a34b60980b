"""Answers of PostgreSQL that never arrive, although what was asked for is done."""

import math
import time

from fixtures.crash_points import DropReplies
from torture.kills import steady_load
from torture.round import Figure, Tally, Turn, broken, judged, load_figures, others
from torture.system import STRATEGIES, torture_system

KINDS = ("claims", "claims of chosen runs", "finishes", "slots", "creates", "single creates", "grants")
_SHARE = 0.4


def kind_of(statement: str) -> str | None:
    """Which of KINDS a change is, by the statement that makes it stay; None for others."""
    if "claim_granted_runs" in statement:
        return "claims of chosen runs"
    if "claim_runs" in statement or "claim_limited_runs" in statement:
        return "claims"
    if "create_single_runs" in statement:
        return "single creates"
    if "grant_runs" in statement:
        return "grants"
    if "finish_runs" in statement:
        return "finishes"
    if "take_due_schedules" in statement and "create_flows" in statement:
        return "slots"
    if statement.startswith("COMMIT") and ("create_flows" in statement or "create_tasks" in statement):
        return "creates"
    return None


def commit_replies(turn: Turn, *, tasks: int = 20) -> Tally:
    """Each part behind a proxy of its own that drops answers, the same number of each kind of change."""
    # Few slots a transaction, so that there are many of them.
    few = {"SCHEDULER_DISPATCHER__MAX_CONCURRENT_DISPATCHES": "2"}
    with torture_system(turn.seed) as system:
        rule = DropReplies(kind_of, _SHARE, 0, turn.seed)
        proxies = [system.proxy() for _ in range(6)]
        api = system.start_api(proxies[0])
        parts = [api, *(system.start_dispatcher(proxy, **few) for proxy in proxies[1:3])]
        parts += [system.start_worker(6, through=proxy) for proxy in proxies[3:]]
        system.wait_for_workers(3)
        names = system.make_tasks(naps=(0.02, 0.1))
        system.make_ticking(tasks)
        for proxy in proxies:
            proxy.rule = rule
        rule.most = math.ceil(turn.cycles / len(KINDS))
        # Half of them with a chosen worker: one grant is of many runs.
        weighed = [*names, *2 * names[-len(STRATEGIES) :]]
        loads = [steady_load(system, weighed, 20, count=1) for _ in range(2)]
        for load in loads:
            load.start()
        while time.monotonic() < turn.deadline and rule.dropped.total() < rule.most * len(KINDS):
            time.sleep(0.1)
        rule.most = 0
        for load in loads:
            load.stop()
        system.stop_ticking()
        history, found = system.judge()
        assert all(part.is_running for part in parts), [part.tail() for part in parts if not part.is_running]
        return judged(
            turn,
            rule.dropped.total(),
            found,
            losses=sum(run.losses for run in history.runs),
            **system.load_of(history),
            **{f"dropped {kind}": rule.dropped[kind] for kind in KINDS},
        )


def reply_figures(tally: Tally) -> list[Figure]:
    """What of the changes."""
    doubled = ("double effect", "slot doubled", "started twice", "uncounted start", "excess start", "resurrected")
    return [
        *(Figure(f"dropped answers to {kind}", tally.count(f"dropped {kind}"), least=1) for kind in KINDS),
        *load_figures(tally),
        Figure("double effects", broken(tally, *doubled), 0),
        Figure("runs stuck", broken(tally, "stuck", "lost"), 0),
        others(tally, *doubled, "stuck", "lost"),
    ]
