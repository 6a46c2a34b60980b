"""`make bench-worker`: what jobs cannot do to a worker's host, and what workers cost; one JSON line per figure."""

import argparse
import json
import sys
from collections.abc import Callable

from benchmarks.worker_cancel import cancel
from benchmarks.worker_idle import find_celery, idle
from benchmarks.worker_output import flood, lines
from benchmarks.worker_shell import shell
from benchmarks.worker_system import Figures
from benchmarks.worker_trees import freezes, kills, timeouts

SECTIONS: dict[str, Callable[[], Figures]] = {
    "timeouts": timeouts,
    "kills": kills,
    "freezes": freezes,
    "cancel": cancel,
    "shell": shell,
    "lines": lines,
    "flood": flood,
    "idle": lambda: idle(celery=find_celery()),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench-worker", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="which figures (all)")
    for name in parser.parse_args().sections or SECTIONS:
        try:
            print(json.dumps(SECTIONS[name]()), flush=True)
        except AssertionError as error:
            sys.exit(f"the benchmark {name} failed: {error}")


if __name__ == "__main__":
    main()
