"""How the end of a function is told."""

import msgspec
import pytest

from scheduler_core.interfaces import RunOutcome
from scheduler_core.models import TaskRunStatus
from scheduler_worker.executors.function_end import exception_types, outcome_of, raised, returned, traceback_text
from scheduler_worker.run_asks import FailRun, RetryLater, RunStopped, SkipRun


class OrderError(LookupError):
    """Made for these tests."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            RetryLater(2.5, "not yet"),
            RunOutcome(
                status=TaskRunStatus.FAILED,
                error="The job asked to be tried again in 2.5 s: not yet",
                retry_after_seconds=2.5,
                exception_types=(
                    "scheduler_worker.run_asks.RetryLater",
                    "builtins.Exception",
                    "builtins.BaseException",
                ),
                output_end="end",
            ),
        ),
        (
            SkipRun("nothing new"),
            RunOutcome(status=TaskRunStatus.SKIPPED, error="nothing new", retryable=False, output_end="end"),
        ),
        (
            FailRun(),
            RunOutcome(
                status=TaskRunStatus.FAILED,
                error="The job asked to fail without another attempt.",
                retryable=False,
                exception_types=("scheduler_worker.run_asks.FailRun", "builtins.Exception", "builtins.BaseException"),
                output_end="end",
            ),
        ),
        (
            SystemExit("wrong"),
            RunOutcome(
                status=TaskRunStatus.FAILED,
                error="The function ended itself with sys.exit('wrong').",
                exit_code=1,
                exception_types=("builtins.SystemExit", "builtins.BaseException"),
                output_end="end",
            ),
        ),
        (
            OrderError("no such order"),
            RunOutcome(
                status=TaskRunStatus.FAILED,
                error="OrderError: no such order.",
                exception_types=(
                    f"{__name__}.OrderError",
                    "builtins.LookupError",
                    "builtins.Exception",
                    "builtins.BaseException",
                ),
                output_end="end",
            ),
        ),
    ],
)
def test_worker_unit_function_end_says_what_was_raised(error: BaseException, expected: RunOutcome) -> None:
    """What a function asks for and what it fails with becomes the outcome of its run."""
    assert outcome_of(raised(error), "end") == expected


def test_worker_unit_function_end_knows_who_has_asked_to_stop() -> None:
    """A function that ends itself when it is told to has run into its soft time-out; otherwise it has failed."""
    assert raised(RunStopped(), is_stop_requested=True).status is TaskRunStatus.TIMEOUT
    assert raised(RunStopped()).status is TaskRunStatus.FAILED


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 10**9])
def test_worker_unit_function_end_refuses_impossible_delays(seconds: float) -> None:
    """A delay that nobody can wait for is told where it is asked for."""
    with pytest.raises(ValueError, match="seconds is "):
        RetryLater(seconds)


def test_worker_unit_function_end_keeps_results_within_the_limit() -> None:
    """A result is kept up to the very limit, and what is no JSON is told."""
    assert msgspec.json.decode(returned("x" * 98, 100).result) == "x" * 98
    assert "The result has 101 bytes as JSON" in str(returned("x" * 99, 100).error)
    assert "(object) cannot be written as JSON" in str(returned(object(), 100).error)


def test_worker_unit_function_end_shows_the_function_alone() -> None:
    """What an ask says needs no traceback; that of an error names its own frames."""
    assert traceback_text(SkipRun("x")) == ""
    try:
        raise OrderError("no such order")
    except OrderError as error:
        text = traceback_text(error)
    assert "function_end_test.py" in text
    assert text.endswith("OrderError: no such order\n")


def test_worker_unit_function_end_bounds_the_names_of_classes() -> None:
    """A class with endless bases is told up to a limit."""
    known: type[BaseException] = Exception
    for number in range(100):
        known = type(f"E{number}", (known,), {})

    assert len(exception_types(known())) == 50
