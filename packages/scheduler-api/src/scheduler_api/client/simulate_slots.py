"""The slots of many tasks over a range, in order of time, without ever holding more than one slot of each task."""

import heapq
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from scheduler_api.client.simulate_tasks import SimulatedTask
from scheduler_api.client.time_range import TimeRange
from scheduler_core.decisions.schedule_rules import next_after, slots_between
from scheduler_core.models import Schedule

Change = Literal["", "added", "removed"]

_INSTANT = timedelta(microseconds=1)


class Simulation(NamedTuple):
    """What is simulated: a half-open range, in which every run of a fixed-delay task takes so many seconds."""

    range: TimeRange
    duration_seconds: int = 0


class SimulatedSlot(NamedTuple):
    """A slot of `task`; `change` says whether a changed definition adds it or takes it away."""

    scheduled_at: datetime
    position: int
    change: Change
    task: SimulatedTask


class Pair(NamedTuple):
    """A task before and after a change."""

    position: int
    old: SimulatedTask
    new: SimulatedTask


def slots_of(schedule: Schedule, seed: int, simulation: Simulation) -> Iterator[datetime]:
    """The slots of one schedule in the range, in order."""
    start, end = simulation.range
    if schedule.after_end is None:
        return slots_between(schedule, start - _INSTANT, end - _INSTANT, seed)
    return _slots_after_ends(schedule, seed, simulation)


def slots_of_tasks(tasks: Sequence[SimulatedTask], simulation: Simulation) -> Iterator[SimulatedSlot]:
    """The slots of all tasks by time; those of one instant in the order of the tasks."""
    return _merged([_plain_stream(position, task, simulation) for position, task in enumerate(tasks)])


def compared_slots(
    tasks: Sequence[SimulatedTask], what_if: Sequence[SimulatedTask], simulation: Simulation
) -> Iterator[SimulatedSlot]:
    """The slots of the tasks and of what they would become (as `replaced` lists them), each told once, by time."""
    streams = []
    for pair in paired(tasks, what_if):
        unchanged = pair.old.schedule == pair.new.schedule
        stream = _plain_stream(pair.position, pair.new, simulation) if unchanged else changes_of(pair, simulation)
        streams.append(stream)
    return _merged(streams)


def paired(tasks: Sequence[SimulatedTask], what_if: Sequence[SimulatedTask]) -> Iterator[Pair]:
    """Each task with what it was before; one that is new had no schedule."""
    for position, new in enumerate(what_if):
        yield Pair(position, tasks[position] if position < len(tasks) else new._replace(schedule=None), new)


def changes_of(pair: Pair, simulation: Simulation) -> Iterator[SimulatedSlot]:
    """The slots of one task before and after its change, each told once, by time."""
    position, old, new = pair
    before, after = _slots(old, simulation), _slots(new, simulation)
    was, becomes = next(before, None), next(after, None)
    while was is not None or becomes is not None:
        if was is not None and (becomes is None or was < becomes):
            yield SimulatedSlot(was, position, "removed", old)
            was = next(before, None)
        elif becomes is not None and (was is None or becomes < was):
            yield SimulatedSlot(becomes, position, "added", new)
            becomes = next(after, None)
        elif becomes is not None:
            yield SimulatedSlot(becomes, position, "", new)
            was, becomes = next(before, None), next(after, None)


def _merged(streams: Sequence[Iterator[SimulatedSlot]]) -> Iterator[SimulatedSlot]:
    # A position and an instant are of one slot alone, so tasks are never compared.
    return heapq.merge(*streams)


def _plain_stream(position: int, task: SimulatedTask, simulation: Simulation) -> Iterator[SimulatedSlot]:
    for slot in _slots(task, simulation):
        yield SimulatedSlot(slot, position, "", task)


def _slots(task: SimulatedTask, simulation: Simulation) -> Iterator[datetime]:
    return iter(()) if task.schedule is None else slots_of(task.schedule, task.seed, simulation)


def _slots_after_ends(schedule: Schedule, seed: int, simulation: Simulation) -> Iterator[datetime]:
    """As if a run had ended just before the range, and every later one the assumed time after its slot."""
    start, end = simulation.range
    slot = next_after(schedule, start - _INSTANT, seed)
    while slot is not None and slot < end:
        yield slot
        slot = next_after(schedule, slot + timedelta(seconds=simulation.duration_seconds), seed)
