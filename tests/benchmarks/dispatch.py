"""`make bench-dispatch`: whose turn it is, and how many at once, with real processes; one JSON line per figure."""

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial

from benchmarks.dispatch_claims import head, parked
from benchmarks.dispatch_limits import changes, limits, successor
from benchmarks.dispatch_shares import background, fairness
from benchmarks.dispatch_strategies import strategies
from benchmarks.dispatch_system import Figures
from scheduler_core.errors import SessionFencedError

SECTIONS: dict[str, Callable[[], Figures]] = {
    "fairness": fairness,
    "limits": limits,
    "changes": changes,
    "background": background,
    "head": head,
    "parked": parked,
    "strategies": strategies,
    "strategies-no-op": partial(strategies, runs=12_000, repeat=9, places=20, job=0.0),
    "successor": successor,
    "successor-rabbitmq": partial(successor, rabbitmq=True),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench-dispatch", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="which figures (all)")
    for name in parser.parse_args().sections or SECTIONS:
        try:
            print(json.dumps(SECTIONS[name]()), flush=True)
        except (AssertionError, SessionFencedError) as error:
            sys.exit(f"the benchmark {name} failed: {error}")


if __name__ == "__main__":
    main()
