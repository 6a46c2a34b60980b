"""Simulations as text: slots as lines, and the load as a table and as a line of bars."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from scheduler_api.client.load_columns import load_columns, show_minutes, sparkline
from scheduler_api.client.simulate_load import Load, TaskLoad, starts_at
from scheduler_api.client.simulate_slots import SimulatedSlot
from scheduler_api.client.simulate_tasks import SimulatedTask
from scheduler_core.decisions.pause_windows import is_paused
from scheduler_core.decisions.time_zone import find_zone

LOAD_HEADINGS = ("TASK", "NAMESPACE", "SLOTS", "PAUSED", "FIRST (UTC)", "LAST (UTC)")
CHANGE_HEADINGS = (*LOAD_HEADINGS[:3], "ADDED", "REMOVED", *LOAD_HEADINGS[3:])
SLOT_HEADINGS = ("SLOT (UTC)", "LOCAL", "TASK", "NAMESPACE", "NOTE")


def slot_json(slot: SimulatedSlot) -> str:
    """One slot as a line of JSON; what does not apply is left out."""
    line = _task_json(slot.task.namespace, slot.task.name)
    instant = slot.scheduled_at
    line += f',"scheduled_at":"{_utc(instant)}","local":"{instant.astimezone(_zone(slot.task)).isoformat()}"'
    schedule = slot.task.schedule
    if schedule is not None and schedule.jitter:
        line += f',"not_before":"{_utc(starts_at(schedule, instant, slot.task.seed))}"'
    if _is_paused(slot):
        line += ',"paused":true'
    if slot.change:
        line += f',"change":"{slot.change}"'
    return f"{{{line}}}\n"


def slot_row(slot: SimulatedSlot) -> list[str]:
    """One slot as a line of a table."""
    schedule, instant = slot.task.schedule, slot.scheduled_at
    notes: list[str] = [slot.change] if slot.change else []
    if schedule is not None and schedule.jitter:
        delay = starts_at(schedule, instant, slot.task.seed) - instant
        notes.append(f"starts {delay.total_seconds():.3g} s later")
    if _is_paused(slot):
        notes.append("paused")
    local = instant.astimezone(_zone(slot.task)).strftime("%Y-%m-%d %H:%M:%S %Z")
    return [_shown(instant), local, slot.task.name, slot.task.namespace, ", ".join(notes)]


def load_rows(tasks: Sequence[SimulatedTask], load: Load, *, compares: bool) -> list[list[str]]:
    """How many slots each task has, the first and the last of them."""
    return [
        _load_row(task, counted, compares=compares)
        for task, counted in zip(tasks, load.tasks, strict=True)
        if task.schedule is not None or counted.removed
    ]


def load_summary(load: Load, *, columns_max: int) -> Iterator[str]:
    """The load over time as one line of bars, and what it adds up to."""
    columns = load_columns(load.buckets, load.width_minutes, load.start, columns_max)
    busiest = max(range(len(load.buckets)), key=load.buckets.__getitem__)
    yield f"{sparkline(columns.peaks)}|"
    each = show_minutes(columns.minutes)
    yield f"{_minute(columns.start)} to {_minute(columns.end)} UTC; a bar is the busiest minute of every {each}"
    total = f"{load.slots} slot{'' if load.slots == 1 else 's'}"
    if paused := sum(task.paused for task in load.tasks):
        total += f" ({paused} paused)"
    if columns.peak:
        when = columns.start + (columns.end - columns.start) * busiest / len(load.buckets)
        total += f"; at most {columns.peak} start in one minute, first at {_minute(when)} UTC"
    yield f"{total}."


def _load_row(task: SimulatedTask, counted: TaskLoad, *, compares: bool) -> list[str]:
    changes = [str(counted.added), str(counted.removed)] if compares else []
    first_and_last = ["-" if each is None else _shown(each) for each in (counted.first, counted.last)]
    return [task.name, task.namespace, str(counted.slots), *changes, str(counted.paused), *first_and_last]


def _is_paused(slot: SimulatedSlot) -> bool:
    schedule = slot.task.schedule
    return schedule is not None and bool(schedule.pauses) and is_paused(schedule, slot.scheduled_at)


def _zone(task: SimulatedTask) -> tzinfo:
    return (task.schedule is not None and find_zone(task.schedule.timezone)) or UTC


@lru_cache(maxsize=20_000)
def _task_json(namespace: str, name: str) -> str:
    return f'"task":{json.dumps(name, ensure_ascii=False)},"namespace":{json.dumps(namespace, ensure_ascii=False)}'


def _utc(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def _shown(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S")


def _minute(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M")
