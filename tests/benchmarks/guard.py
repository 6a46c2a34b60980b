"""`make bench-guard`: W1, W2 and W3 in short, of this checkout and of the commit before, in turns; about two minutes.

Prints how much worse (above 1) or better this checkout is. Exit code 1 when a figure is worse by more than 30 %.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.guard_sides import BEFORE, HERE, ROOT, Side, SideError, running_sides
from benchmarks.results import RATE, Result, medians, read_results
from benchmarks.time_limits import TimeIsUpError, hear_signals, time_limit

WORSE_MAX = 1.3
_SECONDS_MAX = 420.0
_ROUNDS = 2
_ROUND_SECONDS_MAX = 60.0


class Verdict(NamedTuple):
    """How one figure of this checkout stands to the one of the commit before: above 1 it is worse."""

    workload: str
    metric: str
    here: float
    before: float
    ratio: float

    @property
    def is_worse(self) -> bool:
        """Whether it is worse by more than what machines do by themselves."""
        return self.ratio > WORSE_MAX


def verdicts(sides: Mapping[str, Sequence[Result]]) -> list[Verdict]:
    """Each figure that both sides have, by the medians of its repetitions."""
    here, before = (medians(sides[side]) for side in (HERE, BEFORE))
    found = []
    for key, median in here.items():
        if key in before:
            ratio = before[key].value / median.value if median.unit == RATE else median.value / before[key].value
            found.append(Verdict(key[1], key[2], median.value, before[key].value, ratio))
    return found


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(
        prog="make bench-guard", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--against", default="", help="the revision to compare with (HEAD with uncommitted changes, else HEAD~1)"
    )
    revision = parser.parse_args().against or _previous()
    if not revision:
        return
    hear_signals()
    _say(f"preparing {revision}")
    try:
        with time_limit(_SECONDS_MAX), running_sides(revision) as sides:
            found = _compared(sides)
    except TimeIsUpError:
        sys.exit(f"bench-guard: not done within {_SECONDS_MAX:g} s")
    except SideError as error:
        side, reason = error.args
        _say(f"not compared: {side} {reason}")
        # What the commit before cannot do is no fault of this checkout.
        sys.exit(side == HERE)
    for verdict in found:
        told = "WORSE" if verdict.is_worse else "ok"
        figures = f"{verdict.before:,.4g} before, {verdict.here:,.4g} now"
        print(f"{verdict.workload} {verdict.metric}: {verdict.ratio:.2f} times the cost ({figures}) {told}", flush=True)
    sys.exit(any(verdict.is_worse for verdict in found))


def _previous() -> str:
    """The revision to compare with; empty, with a sentence, when there is nothing to compare."""
    if _git("rev-parse", "--verify", "--quiet", "HEAD") is None:
        print("bench-guard: skipped: this is no checkout of git")
        return ""
    revision = "HEAD" if _git("status", "--porcelain", "--", "packages", "uv.lock") else "HEAD~1"
    if _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}") is None:
        print("bench-guard: skipped: there is no earlier commit here (fetch two commits or more)")
        return ""
    if revision == "HEAD~1" and _git("diff", "--name-only", revision, "--", "packages", "uv.lock") == "":
        print("bench-guard: skipped: the last commit changed no package")
        return ""
    return revision


def _git(*arguments: str) -> str | None:
    done = subprocess.run(
        ["git", "--no-optional-locks", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None


def _compared(sides: Sequence[Side]) -> list[Verdict]:
    lines: dict[str, list[str]] = {side.name: [] for side in sides}

    def judged() -> list[Verdict]:
        return verdicts({name: read_results(found) for name, found in lines.items()})

    def measure(workload: str) -> None:
        # Neither side always comes first, nor always after the other.
        for side in (sides[0], sides[1], sides[1], sides[0]):
            lines[side.name].append(side.measure(workload))

    began = time.monotonic()
    for number in range(_ROUNDS):
        # On a machine that has much else to do one round has to be enough.
        if number and time.monotonic() - began > _ROUND_SECONDS_MAX:
            break
        for workload in ("W1", "W2", "W3"):
            _say(f"round {number + 1} of {_ROUNDS}: {workload}")
            measure(workload)
    for verdict in judged():
        if verdict.is_worse:  # once more: machines have bad moments
            _say(f"{verdict.workload} again, for it looks worse")
            measure(verdict.workload[:2])
    return judged()


def _say(text: str) -> None:
    print(f"bench-guard: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
