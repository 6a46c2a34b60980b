"""How many slots each task has in a range, and how many runs may start in each minute of it. Nothing but numbers."""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from scheduler_api.client.simulate_slots import Simulation, changes_of, paired, slots_of
from scheduler_api.client.simulate_tasks import SimulatedTask
from scheduler_api.client.time_range import TimeRange
from scheduler_core.decisions.cron_pattern import is_hashed
from scheduler_core.decisions.pause_windows import is_paused
from scheduler_core.decisions.schedule_rules import jitter_of
from scheduler_core.models import Schedule

_BUCKETS_MAX = 5_000_000


@dataclass
class TaskLoad:
    """The slots of one task; `paused` of them lie in a pause window. The changes are those of a changed definition."""

    slots: int = 0
    paused: int = 0
    first: datetime | None = None
    last: datetime | None = None
    added: int = 0
    removed: int = 0


@dataclass
class Load:
    """The slots of each task, and the runs by minute: `width_minutes` minutes are one bucket from `start` on.

    A bucket is one minute, except in a range of more than nine years.
    """

    tasks: list[TaskLoad]
    start: datetime
    width_minutes: int
    buckets: "array[int]" = field(repr=False)

    @property
    def slots(self) -> int:
        """The slots of all tasks."""
        return sum(task.slots for task in self.tasks)

    def add(self, instant: datetime, weight: int = 1) -> None:
        """Count runs that may start at this instant; what the jitter moves past the end is not in the range."""
        passed = instant - self.start
        bucket = (passed.days * 1440 + passed.seconds // 60) // self.width_minutes
        if bucket < len(self.buckets):
            self.buckets[bucket] += weight


def load_of(tasks: Sequence[SimulatedTask], simulation: Simulation) -> Load:
    """Count the slots of all tasks; schedules that many tasks share are walked once."""
    load = _empty_load(len(tasks), simulation.range)
    alike: dict[tuple[Schedule, int], list[int]] = {}
    for position, task in enumerate(tasks):
        if task.schedule is not None:
            alike.setdefault((task.schedule, task.seed if _uses_seed(task.schedule) else 0), []).append(position)
    for (schedule, seed), positions in alike.items():
        counted = _count(load, schedule, seed, slots_of(schedule, seed, simulation), len(positions))
        for position in positions:
            load.tasks[position] = TaskLoad(**vars(counted))
    return load


def load_of_changes(tasks: Sequence[SimulatedTask], what_if: Sequence[SimulatedTask], simulation: Simulation) -> Load:
    """The load of the changed tasks, which says of each how many slots the change has added and removed."""
    load = load_of(what_if, simulation)
    for pair in paired(tasks, what_if):
        if pair.old.schedule != pair.new.schedule:
            changes = Counter(slot.change for slot in changes_of(pair, simulation))
            load.tasks[pair.position].added = changes["added"]
            load.tasks[pair.position].removed = changes["removed"]
    return load


def starts_at(schedule: Schedule, slot: datetime, seed: int) -> datetime:
    """The slot and its jitter: before that its run does not start."""
    return slot + jitter_of(schedule, slot, seed) if schedule.jitter else slot


def _count(load: Load, schedule: Schedule, seed: int, slots: Iterator[datetime], weight: int) -> TaskLoad:
    counted = TaskLoad(first=next(slots, None))
    if counted.first is None:
        return counted
    slots = chain([counted.first], slots)
    if schedule.pauses or schedule.jitter:
        for slot in slots:
            counted.slots += 1
            counted.last = slot
            if schedule.pauses and is_paused(schedule, slot):
                counted.paused += 1
            else:
                load.add(starts_at(schedule, slot, seed), weight)
        return counted
    # The loop that a year of a thousand tasks is made of: nothing in it is looked up twice.
    buckets, start, width = load.buckets, load.start, load.width_minutes
    number, slot = 0, counted.first
    for slot in slots:
        passed = slot - start
        buckets[(passed.days * 1440 + passed.seconds // 60) // width] += weight
        number += 1
    counted.slots, counted.last = number, slot
    return counted


def _empty_load(tasks: int, time_range: TimeRange) -> Load:
    start = time_range.start.replace(second=0, microsecond=0)
    minutes = -((start - time_range.end) // timedelta(minutes=1))
    width = -(-minutes // _BUCKETS_MAX)
    return Load([TaskLoad() for _ in range(tasks)], start, width, array("Q", bytes(8 * (-(-minutes // width)))))


def _uses_seed(schedule: Schedule) -> bool:
    texts = [rule.cron or "" for rule in (schedule, *(schedule.any or ()))]
    return schedule.jitter > 0 or any(is_hashed(text) for text in texts)
