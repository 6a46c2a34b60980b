"""Which runs can stand still."""

from typing import Any

import pytest

from scheduler_core.decisions.pause_rules import pause_problem
from scheduler_core.models import RunTrigger, TaskRun, TaskRunStatus


def build_run(status: TaskRunStatus, **changes: Any) -> TaskRun:
    """A run as users see it."""
    fields: dict[str, Any] = dict.fromkeys(TaskRun.__struct_fields__)
    fields |= {"id": 7, "task_id": 3, "trigger": RunTrigger.MANUAL, "cancel_requested": False, "status": status}
    return TaskRun(**{**fields, **changes})


@pytest.mark.parametrize("pause", [True, False])
def test_core_unit_pause_problem_lets_running_runs_pass(pause: bool) -> None:
    """A running run can be paused and resumed, however often."""
    assert pause_problem(build_run(TaskRunStatus.RUNNING), pause=pause) is None


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (build_run(TaskRunStatus.PENDING), "`scheduler task pause 3`, or take it out with `scheduler run cancel 7`"),
        (build_run(TaskRunStatus.DISPATCHED), "it has not started"),
        (build_run(TaskRunStatus.COMPLETED), "it has ended"),
        (build_run(TaskRunStatus.PENDING, group_size=3), "`scheduler run group 7`"),
        (build_run(TaskRunStatus.RUNNING, cancel_requested=True), "it is being cancelled"),
    ],
)
def test_core_unit_pause_problem_names_what_to_do_instead(run: TaskRun, words: str) -> None:
    """What cannot stand still says why, and what is meant instead."""
    assert words in (pause_problem(run, pause=True) or "")


def test_core_unit_pause_problem_lets_a_cancelled_run_go_on() -> None:
    """A paused run whose cancel was requested can still be resumed."""
    assert pause_problem(build_run(TaskRunStatus.RUNNING, cancel_requested=True), pause=False) is None
