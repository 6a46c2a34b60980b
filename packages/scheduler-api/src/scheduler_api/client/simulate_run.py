"""Carries out a simulation: reads the tasks, walks through their slots and writes what was asked for."""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.client_options import ClientOptions
from scheduler_api.client.load_columns import load_columns
from scheduler_api.client.load_picture import COLUMNS_MAX, check_chart_path, write_chart
from scheduler_api.client.output import Output
from scheduler_api.client.simulate_load import Load, load_of, load_of_changes
from scheduler_api.client.simulate_slots import SimulatedSlot, Simulation, compared_slots, slots_of_tasks
from scheduler_api.client.simulate_tasks import SimulatedTask, replaced, tasks_of_files, tasks_of_server
from scheduler_api.client.simulate_view import (
    CHANGE_HEADINGS,
    LOAD_HEADINGS,
    SLOT_HEADINGS,
    load_rows,
    load_summary,
    slot_json,
    slot_row,
)
from scheduler_api.client.time_range import read_time_range
from scheduler_core.decisions.duration_text import duration_text, parse_duration
from scheduler_core.errors import Problem
from scheduler_core.runtime.exit_code import ExitCode


class SimulationRequest(NamedTuple):
    """What was typed."""

    files: Sequence[str]
    task: Sequence[str]
    namespace: str | None
    start: str
    end: str | None
    what_if: Sequence[str]
    assume_duration: str
    slots: bool
    chart: str | None


class _Case(NamedTuple):
    """The tasks as they are, and as they would become; the latter None when nothing is to be compared."""

    simulation: Simulation
    before: list[SimulatedTask]
    after: list[SimulatedTask] | None

    @property
    def tasks(self) -> list[SimulatedTask]:
        return self.before if self.after is None else self.after

    def slots(self) -> Iterator[SimulatedSlot]:
        if self.after is None:
            return slots_of_tasks(self.before, self.simulation)
        return compared_slots(self.before, self.after, self.simulation)

    def load(self) -> Load:
        if self.after is None:
            return load_of(self.before, self.simulation)
        return load_of_changes(self.before, self.after, self.simulation)


def run_simulation(request: SimulationRequest, options: ClientOptions) -> int:
    """Answer on stdout; raises UsageError for whatever cannot be used, before anything is written."""
    output = Output(options.output, quiet=options.quiet)
    time_range = read_time_range(request.start, request.end, datetime.now(UTC))
    simulation = Simulation(time_range, _duration(request.assume_duration))
    if request.chart is not None:
        check_chart_path(request.chart)
    before = _tasks(request, options)
    after = replaced(before, tasks_of_files(request.what_if)) if request.what_if else None
    case = _Case(simulation, before, after)
    _note_assumptions(case, output)
    load = None if _lists_slots(request, output) and request.chart is None else case.load()
    if request.chart is not None and load is not None:
        write_chart(request.chart, load_columns(load.buckets, load.width_minutes, load.start, COLUMNS_MAX))
    if output.is_json:
        for slot in case.slots():
            sys.stdout.write(slot_json(slot))
    elif request.slots:
        output.lines(SLOT_HEADINGS, (slot_row(slot) for slot in case.slots()))
    elif load is not None:
        compares = case.after is not None
        output.table(CHANGE_HEADINGS if compares else LOAD_HEADINGS, load_rows(case.tasks, load, compares=compares))
        output.raw("\n".join(["", *load_summary(load, columns_max=72), ""]))
    return ExitCode.OK


def _tasks(request: SimulationRequest, options: ClientOptions) -> list[SimulatedTask]:
    if request.files:
        return tasks_of_files(request.files)
    with options.session() as session:
        return tasks_of_server(session.api, request.task, request.namespace)


def _lists_slots(request: SimulationRequest, output: Output) -> bool:
    return request.slots or output.is_json


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError([Problem("--assume-duration", str(error))]) from error


def _note_assumptions(case: _Case, output: Output) -> None:
    unscheduled = sum(task.schedule is None for task in case.tasks)
    if unscheduled:
        output.note(f"{'1 task has' if unscheduled == 1 else f'{unscheduled} tasks have'} no schedule, so no slots.")
    delayed = [task.name for task in case.tasks if task.schedule is not None and task.schedule.after_end is not None]
    if delayed:
        length = duration_text(case.simulation.duration_seconds)
        output.note(
            f"The slots of {', '.join(delayed[:5])}{' and others' if len(delayed) > 5 else ''} follow the ends of "
            f"runs: each is assumed to take {length} (--assume-duration)."
        )
