"""`make dst-sweep`: the schedule code against the oracle, wherever clocks change in 2024 to 2027.

Every distinct set of zone rules is compared in full, by minutes, and every zone for three days on both sides of each
of its changes, by seconds where the cron text has them. Progress goes to stderr, one JSON line to stdout.
"""

import json
import sys
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from multiprocessing import Pool
from time import monotonic
from typing import Any, NamedTuple

from msgspec.structs import replace

from fixtures.local_times import LocalTimes, load_zone, zone_names
from fixtures.schedule_oracle import rules_of, walls_of
from scheduler_core.decisions.schedule_rules import slots_between
from scheduler_core.models import OnGap, OnOverlap, Schedule

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
AROUND = timedelta(days=3)
MARGIN = timedelta(days=1, hours=1)
PROCESSES = 2
SEEDS = 5

RULES: tuple[tuple[OnGap | None, OnOverlap | None], ...] = ((None, None), *product(OnGap, OnOverlap))

DENSE = ("* * * * *", "*/5 * * * *", "*/15 * * * *", "7-59/20 * * * *")
"""Compared in full under the defaults only: away from the changes the rules make no difference."""

BY_MINUTE = (
    *DENSE,
    "0 * * * *",
    "59 * * * *",  # of a gap of an hour only its end
    "29 0-3 * * *",
    "@hourly",
    "H * * * *",
    "30 */2 * * *",
    "*/20 2 * * *",
    "*/10 0-3 * * *",
    "0-59 2 * * *",
    "0,15,30,45 1-3 * * *",
    "5/25 0,1,2,23 * * *",
    "H/15 1-3 * * *",
    "0 0 * * *",
    "@daily",
    "30 2 * * *",
    "30 1 * * *",
    "0 2,3 * * *",
    "59 23 * * *",
    "15 0,23 * * *",
    "H H(0-3) * * *",
    "0 3 * * 0",
    "30 2 * * SUN",
    "0 2 L * *",
    "30 1 LW * *",
    "30 2 * * 7L",
    "0 1 * MAR,OCT,NOV SUN#1",
    "30 2 * 3-11/2 SUN#2,SUN#5",
    "0 2 1,15,25-31 * SUN",  # either of the two days
    "0 2 */2 * SUN",  # both
    "H(0-29)/10 H(0-3) H * SAT,SUN",
    "45 23 29 2 *",
    "DTSTART:20231001T000000 RRULE:FREQ=DAILY;BYHOUR=1,2;BYMINUTE=30",
    "DTSTART:20231001T000000 RRULE:FREQ=HOURLY;INTERVAL=5",
    "DTSTART:20231001T021500 RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=SA,SU",
    "DTSTART:20231001T000000 RRULE:FREQ=MONTHLY;BYDAY=-1SU;BYHOUR=0,2",
)
BY_SECOND = (
    "*/20 * 1-3 * * *",
    "15,45 30 2 * * *",
    "* 59 1 * * *",
    "30 0 */6 * * *",
    "59 59 * * * *",
    "0-10/5 */30 0-3 * * SUN",
    "H/7 H H(0-3) * * *",
)


class Change(NamedTuple):
    """A moment, in seconds since 1970, at which a zone's offset becomes another."""

    second: int
    before: timedelta
    after: timedelta


class Work(NamedTuple):
    """Zones whose clocks do the same between two instants, and what is compared there."""

    zones: tuple[str, ...]
    after: datetime
    until: datetime
    is_full: bool


class Difference(NamedTuple):
    """Slots that only one of the two has."""

    schedule: Schedule
    seed: int
    after: datetime
    until: datetime
    lacking: list[datetime]
    strange: list[datetime]


class Outcome(NamedTuple):
    """What comparing a piece of work has shown."""

    comparisons: int
    slots: int
    differences: list[Difference]


def measure() -> dict[str, Any]:
    """Compare everything; the counts, differences told on stderr."""
    began = monotonic()
    changes = {name: changes_of(name) for name in zone_names()}
    full, around = all_work(changes)
    outcome = Outcome(0, 0, [])
    with Pool(PROCESSES) as pool:
        for done, one in enumerate(pool.imap_unordered(compare, [*around, *full]), 1):
            outcome = _sum(outcome, one)
            _tell(f"{done}/{len(full) + len(around)} pieces, {outcome.slots} slots, {monotonic() - began:.0f} s", one)
    return {
        "workload": "dst_sweep",
        "zones": len(changes),
        "rule_sets": len(full),
        "changes": sum(map(len, changes.values())),
        "shapes": len(BY_MINUTE) + len(BY_SECOND),
        "comparisons": outcome.comparisons,
        "slots": outcome.slots,
        "differences": len(outcome.differences),
        "seconds": round(monotonic() - began),
    }


def all_work(changes: dict[str, tuple[Change, ...]]) -> tuple[list[Work], list[Work]]:
    """The distinct sets of rules in full, and each zone around each of its changes; what is alike is done together."""
    full: dict[object, list[str]] = defaultdict(list)
    around: dict[tuple[Change, ...], list[str]] = defaultdict(list)
    for name, its in changes.items():
        full[its or _offset(name, int(START.timestamp()))].append(name)
        for change in its:
            near = (one for one in its if abs(one.second - change.second) <= (AROUND + MARGIN).total_seconds())
            around[change, *near].append(name)
    windows = []
    for (change, *_), names in around.items():
        moment = datetime.fromtimestamp(change.second, UTC)
        windows.append(Work(tuple(names), moment - AROUND, moment + AROUND, is_full=False))
    return [Work(tuple(names[:1]), START, END, is_full=True) for names in full.values()], windows


def changes_of(name: str) -> tuple[Change, ...]:
    """Every change of a zone's offset in the period, found by looking at each hour, then at each of its minutes."""
    found = []
    offset = _offset(name, int(START.timestamp()))
    for hour in range(int(START.timestamp()), int(END.timestamp()), 3600):
        if _offset(name, hour + 3600) == offset:
            continue
        for second in range(hour + 60, hour + 3660, 60):
            if (after := _offset(name, second)) != offset:
                found.append(Change(second, offset, after))
                offset = after
    return tuple(found)


def compare(work: Work) -> Outcome:
    """Compare all shapes under all rules in the zones of a piece of work."""
    outcome = _compare_shapes(work, BY_MINUTE, step=60)
    return outcome if work.is_full else _sum(outcome, _compare_shapes(work, BY_SECOND, step=1))


def _compare_shapes(work: Work, shapes: Sequence[str], step: int) -> Outcome:
    outcome = Outcome(0, 0, [])
    first, last = int(work.after.timestamp()) // step + 1, int(work.until.timestamp()) // step
    moments = [datetime.fromtimestamp(number * step, UTC) for number in range(first, last + 1)]
    margin = int(MARGIN.total_seconds()) // step
    times = LocalTimes(load_zone(work.zones[0]), first - margin, last + margin, step)
    seed = first % SEEDS
    for shape in shapes:
        rule = Schedule(rrule=shape) if "FREQ=" in shape else Schedule(cron=shape)
        walls = walls_of(rule, seed, times)
        for on_gap, on_overlap in RULES[:1] if work.is_full and shape in DENSE else RULES:
            schedule = replace(rule, on_gap=on_gap, on_overlap=on_overlap)
            due = times.instants(walls, *rules_of(schedule))
            within = due[bisect_left(due, first) : bisect_right(due, last)]
            expected = [moments[number - first] for number in within]
            outcome = _sum(outcome, _compare_zones(work, schedule, seed, expected))
    return outcome


def _compare_zones(work: Work, schedule: Schedule, seed: int, expected: list[datetime]) -> Outcome:
    differences = []
    for zone in work.zones:
        here = replace(schedule, timezone=zone)
        found = list(slots_between(here, work.after, work.until, seed))
        if found != expected:
            lacking, strange = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
            differences.append(Difference(here, seed, work.after, work.until, lacking, strange))
    return Outcome(len(work.zones), len(expected) * len(work.zones), differences)


def _sum(one: Outcome, other: Outcome) -> Outcome:
    return Outcome(one.comparisons + other.comparisons, one.slots + other.slots, one.differences + other.differences)


def _offset(name: str, second: int) -> timedelta:
    return datetime.fromtimestamp(second, load_zone(name)).utcoffset() or timedelta()


def _tell(text: str, outcome: Outcome) -> None:
    print(text, file=sys.stderr)
    for difference in outcome.differences[:3]:
        print(f"  DIFFERENCE {difference}"[:2000], file=sys.stderr)


def main() -> None:
    """Measure and print; exit code 1 when anything differs."""
    figures = measure()
    print(json.dumps(figures), flush=True)
    sys.exit(figures["differences"] > 0)


if __name__ == "__main__":
    main()
