"""A measurement in a process of its own, whatever becomes of that."""

import sys
import time
from pathlib import Path

from benchmarks.comparison import Turn
from benchmarks.measured_turn import measured
from benchmarks.results import read_results, result_line

_TURN = Turn(4, "W1-bulk", "peer")
_LINE = result_line("W1-bulk", "total_per_s", 5.0, "1/s", 1, system="peer")


def test_benchmarks_unit_the_figures_of_a_turn_carry_its_repetition() -> None:
    """Each process counts from one; the run does not."""
    (found,) = read_results(measured(_TURN, [sys.executable, "-c", f"print({_LINE!r})"]))
    assert (found.value, found.repetition, found.error) == (5.0, 4, "")


def test_benchmarks_unit_a_turn_that_fails_keeps_its_figures_and_says_why() -> None:
    """What it said last is the reason; a reason that it gave in a line of its own is not told twice."""
    program = f"import sys; print({_LINE!r}); sys.exit('no queue')"
    figure, error = read_results(measured(_TURN, [sys.executable, "-c", program]))
    assert (figure.value, error.error, error.repetition, error.system) == (5.0, "no queue", 4, "peer")
    told = '{"system": "peer", "workload": "W1-bulk", "repetition": 1, "error": "told"}'
    program = f"import sys; print({told!r}); sys.exit(1)"
    assert [found.error for found in read_results(measured(_TURN, [sys.executable, "-c", program]))] == ["told"]


def test_benchmarks_unit_a_turn_that_takes_too_long_is_told_to_end(tmp_path: Path) -> None:
    """It hears SIGTERM and may clean up; the run goes on with an error in its place."""
    cleaned = tmp_path / "cleaned"
    program = (
        "import pathlib, signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(cleaned)!r}).touch(), sys.exit(1)))\n"
        "time.sleep(60)"
    )
    began = time.monotonic()
    (found,) = read_results(measured(_TURN, [sys.executable, "-c", program], 1.0))
    assert found.error == "not within 1 s"
    assert cleaned.exists()
    assert time.monotonic() - began < 50  # a minute would be its own end
