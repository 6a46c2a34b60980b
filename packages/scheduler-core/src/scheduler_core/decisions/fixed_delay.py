"""Where a fixed delay goes on after a run has ended."""

from datetime import datetime, timedelta

from scheduler_core.decisions.schedule_rules import next_after
from scheduler_core.models import Schedule

_SECOND = timedelta(seconds=1)


def next_after_end(schedule: Schedule, ended: datetime, recorded_until: datetime, seed: int = 0) -> datetime | None:
    """The slot that follows the end of a run, or a slot that had none, for a record that goes to `recorded_until`.

    An end by a clock that was set back since the slot would lead to a slot that lies before it: then the next whole
    second after the record is taken, as settle_runs.sql does.
    """
    slot = next_after(schedule, ended, seed)
    if slot is None or slot > recorded_until:
        return slot
    return next_after(schedule, recorded_until + _SECOND - timedelta(seconds=schedule.after_end or 0), seed)
