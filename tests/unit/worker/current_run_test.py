"""What functions may ask and tell of their run."""

import contextvars
import threading
from collections.abc import Callable

import pytest

from fixtures.worker import CollectedOutput, make_context
from scheduler_core.models import RunProgress
from scheduler_worker.current_run import (
    RunLink,
    RunStopped,
    StopToken,
    check_stop,
    current_run,
    enter_run,
    enter_run_in_process,
    report_progress,
    stop_requested,
    wait_for_stop,
)


def within(link: RunLink, call: Callable[[], object]) -> object:
    """What `call` gives in a run."""

    def entered() -> object:
        enter_run(link)
        return call()

    return contextvars.copy_context().run(entered)


@pytest.fixture
def link(output: CollectedOutput) -> RunLink:
    """A run that nobody has stopped."""
    return RunLink(make_context(), StopToken(), output.report)


def test_worker_unit_current_run_outside_of_a_run_is_harmless() -> None:
    """A function that is called by hand, as by its own tests, finds no run, and nothing stops it."""
    report_progress(0.5, "half", rows=3)
    check_stop()

    assert (current_run(), stop_requested(), wait_for_stop(0.0)) == (None, False, False)


def test_worker_unit_current_run_reports_as_given(link: RunLink, output: CollectedOutput) -> None:
    """What is reported arrives as numbers and text; a long text is cut."""
    within(link, lambda: report_progress(1, "x" * 2000, rows=3, share_of_errors=0.5))
    within(link, lambda: report_progress(text="next"))

    assert output.reported == [
        RunProgress(share=1.0, text="x" * 1000, metrics={"rows": 3.0, "share_of_errors": 0.5}),
        RunProgress(text="next"),
    ]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), "half"])
def test_worker_unit_current_run_refuses_shares(share: float, link: RunLink, output: CollectedOutput) -> None:
    """A share that is none is told, with what to write instead."""
    with pytest.raises(ValueError, match=r"Report how much is done as a number from 0 to 1"):
        within(link, lambda: report_progress(share))
    assert output.reported == []


@pytest.mark.parametrize("value", [float("inf"), True, "3", None, 10**400, pytest.param(10**5000, id="huge")])
def test_worker_unit_current_run_refuses_metrics(value: float, link: RunLink) -> None:
    """A metric is a finite number."""
    with pytest.raises(ValueError, match="the metric rows is "):
        within(link, lambda: report_progress(rows=value))


@pytest.mark.parametrize(
    ("names", "problem"), [(["x" * 101], "has a name of 101 characters"), ([f"m{n}" for n in range(51)], "at most 50")]
)
def test_worker_unit_current_run_refuses_what_is_not_kept(names: list[str], problem: str, link: RunLink) -> None:
    """No metric is left out without a word."""
    with pytest.raises(ValueError, match=problem):
        within(link, lambda: report_progress(None, None, **dict.fromkeys(names, 1.0)))


def test_worker_unit_current_run_hears_of_the_stop(link: RunLink) -> None:
    """Once the run is to end every way of asking says so, and that somebody has asked is known."""
    assert within(link, stop_requested) is False
    assert link.is_watched

    link.token.set()

    assert within(link, stop_requested) is True
    assert within(link, lambda: wait_for_stop(600)) is True
    with pytest.raises(RunStopped):
        within(link, check_stop)


def test_worker_unit_current_run_of_a_process_is_seen_by_its_threads(link: RunLink) -> None:
    """In a child process threads that the function has started know the run, too; one of their own goes first."""
    seen: list[object] = []
    other = RunLink(make_context(8), StopToken(), print)
    enter_run_in_process(link)
    try:
        thread = threading.Thread(target=lambda: seen.append(current_run()))
        thread.start()
        thread.join()
        seen.append(within(other, current_run))
    finally:
        enter_run_in_process(None)

    assert seen == [link.context, other.context]
    assert current_run() is None
