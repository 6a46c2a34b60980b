"""What a dispatcher counts. Without a configured SDK these cost next to nothing."""

from opentelemetry import metrics

_meter = metrics.get_meter("scheduler.dispatcher")

slots_run = _meter.create_counter("scheduler.slots.run", unit="{slot}", description="Slots that were given a run.")
slots_skipped = _meter.create_counter(
    "scheduler.slots.skipped", unit="{slot}", description="Slots recorded without a run, by reason."
)
slot_delay = _meter.create_histogram(
    "scheduler.slots.delay", unit="s", description="How long after its due instant a slot was given its run."
)
runs_admitted = _meter.create_counter(
    "scheduler.runs.admitted", unit="{run}", description="Waiting runs that became claimable."
)
runs_released = _meter.create_counter(
    "scheduler.runs.released", unit="{run}", description="Runs made claimable by settling the runs they waited for."
)
runs_expanded = _meter.create_counter(
    "scheduler.runs.expanded", unit="{run}", description="Runs whose condition was evaluated, or whose group was made."
)
runs_late = _meter.create_counter(
    "scheduler.runs.late", unit="{run}", description="Runs given up because nobody had begun them in time."
)
waits_overdue = _meter.create_counter(
    "scheduler.waits.overdue",
    unit="{wait}",
    description="Dependencies on intervals that were not met by their deadline, by what became of them.",
)
sessions_lost = _meter.create_counter(
    "scheduler.sessions.lost", unit="{session}", description="Worker sessions declared lost."
)
runs_recovered = _meter.create_counter(
    "scheduler.runs.recovered", unit="{run}", description="Runs taken from lost sessions, by where they went."
)
runs_removed = _meter.create_counter(
    "scheduler.runs.removed", unit="{run}", description="Finished runs removed because they were kept for long enough."
)
runs_recalled = _meter.create_counter(
    "scheduler.runs.recalled",
    unit="{run}",
    description="Claimable runs taken back from a chosen worker that had not taken them in time.",
)
