"""The half of a measurement that runs in a system's own environment: `python -m benchmarks.peers.drive`.

Writes one line of JSON for each figure: its name, value and unit.
"""

import argparse
import asyncio
import importlib
import json
import sys
from pathlib import Path

from benchmarks.peers.crew import Crew
from benchmarks.peers.marks import Marks
from benchmarks.peers.measurement import Figure, Measurement
from benchmarks.peers.workloads import MEASURES
from benchmarks.time_limits import hear_signals


def main() -> None:
    """Measure and write; exit code 1 and a sentence on stderr when the system did not do it."""
    parser = argparse.ArgumentParser(prog="drive", description=__doc__)
    parser.add_argument("module")
    parser.add_argument("workload")
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--limit", type=float, default=120.0)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    hear_signals()
    crew = Crew(chosen.folder / "workers.log")
    try:
        marks = Marks.create(chosen.folder / "marks")
        # An own import, because a worker imports the same file and nothing of this one.
        peer = importlib.import_module(f"benchmarks.peers.{chosen.module}").THIS()
        measurement = Measurement(peer, crew, marks, chosen.jobs, chosen.limit)

        async def measure() -> list[Figure]:
            return await MEASURES[chosen.workload](measurement)

        figures = asyncio.run(measure())
    # Whatever the system raises is what is told of it.
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
    finally:
        crew.stop()
    chosen.out.write_text("".join(json.dumps(figure._asdict()) + "\n" for figure in figures))


if __name__ == "__main__":
    main()
