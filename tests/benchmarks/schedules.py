"""`make bench-schedule`: what schedules cost to compute and to fire; one JSON line for each figure."""

import argparse
import json
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, perf_counter_ns
from typing import Any

from benchmarks import crowd, due_burst
from scheduler_core.decisions.schedule_rules import next_after, schedule_seed, slots_between
from scheduler_core.models import Schedule

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 365
ZONES = ("Europe/Berlin", "America/New_York", "UTC", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo")
PLAIN = ("30 2 * * *", "*/5 * * * *", "0 9 * * MON-FRI", "0 0 1 * *")

MIX: tuple[tuple[int, str, Schedule], ...] = (
    (400, "daily at a time of its own", Schedule(cron="H H * * *")),
    (200, "hourly", Schedule(cron="H * * * *")),
    (100, "every 15 minutes", Schedule(cron="*/15 * * * *")),
    (100, "on weekdays or once a week", Schedule(cron="H H(8-17) * * MON,WED,FRI")),
    (50, "every 5 minutes", Schedule(cron="*/5 * * * *")),
    (50, "monthly, on the last weekday", Schedule(cron="0 6 LW * *")),
    (40, "by a recurrence rule", Schedule(rrule="FREQ=MONTHLY;BYDAY=2TU;BYHOUR=9")),
    (30, "at a fixed rate of half an hour", Schedule(every=1800)),
    (20, "any of two", Schedule(any=(Schedule(cron="0 */6 * * *"), Schedule(cron="30 2 * * SUN")))),
    (10, "every minute", Schedule(cron="* * * * *")),
)
"""A thousand tasks, about 45,000 slots a day."""


def measure_steps(steps: int = 2000) -> dict[str, Any]:
    """One `next_after` of plain cron, from slot to slot in a zone whose clocks change; microseconds."""
    taken = []
    for cron in PLAIN:
        schedule, instant = Schedule(cron=cron, timezone="Europe/Berlin"), START
        for _ in range(steps // len(PLAIN)):
            began = perf_counter_ns()
            slot = next_after(schedule, instant)
            taken.append((perf_counter_ns() - began) / 1000)
            assert slot is not None
            instant = slot
    taken.sort()
    return {
        "workload": "schedule_next",
        "steps": len(taken),
        "us_median": round(median(taken), 1),
        "us_p99": round(taken[len(taken) * 99 // 100], 1),
        "us_max": round(taken[-1], 1),
    }


def measure_year() -> dict[str, Any]:
    """All slots of a year of the mix, task by task, without keeping any."""
    tasks = list(mixed_tasks())
    until = START + timedelta(days=DAYS)
    memory, began = _peak_memory_mb(), perf_counter()
    slots = sum(1 for schedule, seed in tasks for _ in slots_between(schedule, START, until, seed))
    return {
        "workload": "schedule_year",
        "tasks": len(tasks),
        "days": DAYS,
        "slots": slots,
        "seconds": round(perf_counter() - began, 1),
        "memory_growth_mb": round(_peak_memory_mb() - memory, 1),
    }


def mixed_tasks() -> Iterator[tuple[Schedule, int]]:
    """The schedules of the mix, spread over zones, each with the seed of its task."""
    for count, kind, schedule in MIX:
        for number in range(count):
            zone = ZONES[number % len(ZONES)]
            yield _in_zone(schedule, zone), schedule_seed("bench", f"{kind} {number}")


def _in_zone(schedule: Schedule, zone: str) -> Schedule:
    members = schedule.any and tuple(_in_zone(member, zone) for member in schedule.any)
    return Schedule(cron=schedule.cron, every=schedule.every, rrule=schedule.rrule, any=members, timezone=zone)


def _peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def measure_burst() -> dict[str, Any]:
    """See due_burst."""
    return _on_a_new_system(due_burst.measure)


def measure_crowd() -> dict[str, Any]:
    """See crowd."""
    return _on_a_new_system(crowd.measure)


def _on_a_new_system(measure: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    directory = Path(tempfile.mkdtemp(prefix="scheduler-bench-", dir="/tmp"))
    try:
        return measure(directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


MEASURES = {"next": measure_steps, "year": measure_year, "burst": measure_burst, "crowd": measure_crowd}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench-schedule", description=__doc__)
    parser.add_argument("only", nargs="*", help=f"which of {', '.join(MEASURES)} (all)")
    chosen = parser.parse_args().only
    if unknown := set(chosen) - MEASURES.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(MEASURES)}")
    for name in chosen or MEASURES:
        try:
            print(json.dumps(MEASURES[name]()), flush=True)
        except AssertionError as error:
            sys.exit(f"the benchmark {name} failed: {error}")


if __name__ == "__main__":
    main()
