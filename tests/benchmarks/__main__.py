"""`make bench`: one JSON line per workload on stdout, everything else on stderr."""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks import throughput


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("-n", type=int, default=20_000, help="runs of a repetition (20000)")
    parser.add_argument("--repeat", type=int, default=1, help="repetitions, each on a new system (1)")
    chosen = parser.parse_args()
    for _ in range(chosen.repeat):
        directory = Path(tempfile.mkdtemp(prefix="scheduler-bench-", dir="/tmp"))
        try:
            print(json.dumps(throughput.measure(directory, chosen.n)), flush=True)
        except AssertionError as error:
            sys.exit(f"the benchmark failed: {error}")
        finally:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
