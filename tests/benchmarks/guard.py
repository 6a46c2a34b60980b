"""`make bench-guard`: W1, W2 and W3 in short, of this checkout and of the commit before, in turns; about a minute.

Prints how much worse (above 1) or better this checkout is. Exit code 1 when a figure is worse by more than 30 %, in a
second round too, or when this checkout gives none where the commit before does. What else cannot be compared is said,
and is no failure.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from benchmarks.guard_sides import HERE, ROOT, Side, SideError, running_sides
from benchmarks.guard_turns import BrokenError, measured, say
from benchmarks.guard_verdict import Broken, Verdict, is_suspect, verdict
from benchmarks.time_limits import TimeIsUpError, hear_signals, time_limit

_SECONDS_MAX = 80.0
_FIRST_ROUND_SECONDS_MAX = 30.0
_TURNS = {"W1": 4, "W2": 2, "W3": 2}
_CONFIRMING_TURNS = 4


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
    is_broken = False
    say(f"preparing {revision}")
    found: list[Verdict | Broken] = []
    try:
        with time_limit(_SECONDS_MAX), running_sides(revision) as sides:
            for each in _judged(sides):
                found.append(each)
                print(each, flush=True)
    except TimeIsUpError:
        say(f"not done within {_SECONDS_MAX:g} s")
    except (SideError, OSError, subprocess.SubprocessError) as error:
        say(f"not compared: {error}")
        is_broken = isinstance(error, SideError) and error.side == HERE
    sys.exit(is_broken or any(each.is_worse for each in found))


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
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _judged(sides: Sequence[Side]) -> Iterator[Verdict | Broken]:
    began = time.monotonic()
    for workload, turns in _TURNS.items():
        # On a machine that has much else to do fewer of them have to be enough.
        if time.monotonic() - began > _FIRST_ROUND_SECONDS_MAX:
            say(f"{workload} is left out: the others took {_FIRST_ROUND_SECONDS_MAX:g} s")
            continue
        try:
            first, second = measured(sides, workload, turns), {}
            if any(is_suspect(pairs) for pairs in first.values()):  # machines have bad moments
                say(f"{workload} again, for it looks worse")
                second = measured(sides, workload, _CONFIRMING_TURNS)
        except BrokenError as error:
            yield Broken(workload, str(error))
            continue
        yield from (verdict(pairs, second.get(metric, [])) for metric, pairs in first.items())


if __name__ == "__main__":
    main()
