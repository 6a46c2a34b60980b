"""Which runs may start when they are born."""

import itertools

from scheduler_core.decisions.admission import birth_status
from scheduler_core.models import TaskRunStatus, TaskStatus


def test_birth_status_dispatches_only_what_lacks_nothing() -> None:
    """Of all combinations only an active task's run that waits for nothing and has no delay may start."""
    dispatched = [
        (status, waiting_on, delayed)
        for status, waiting_on, delayed in itertools.product(TaskStatus, (0, 1, 7), (False, True))
        if birth_status(status, waiting_on, delayed) is TaskRunStatus.DISPATCHED
    ]
    assert dispatched == [(TaskStatus.ACTIVE, 0, False)]
