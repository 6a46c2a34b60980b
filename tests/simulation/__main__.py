"""`make simulate`: many seeds, or one with all that happens in it; prints a JSON line, and what is wrong."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fixtures.database import EMBEDDED, serving
from fixtures.simulated_database import DatabaseServer, simulated_server
from scheduler_infra.database.migrator import upgrade
from simulation.plan import plan_of
from simulation.system import Simulation, SimulationResult


def main() -> None:
    """Simulate; exit code 1 when a seed has shown a fault."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds (1000)")
    parser.add_argument("--from", type=int, default=1, dest="first", help="the first one (1)")
    parser.add_argument("--seed", type=int, help="only this one, with all that happens in it")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds) if options.seed is None else [options.seed]
    began, failing, statements, runs = time.monotonic(), [], 0, 0
    with database_server() as server:
        for seed in seeds:
            result = Simulation(plan_of(seed), server, print if options.seed is not None else None).run()
            statements, runs = statements + result.statements, runs + result.runs
            if result.violations:
                failing.append(seed)
                print(told(result), file=sys.stderr, flush=True)
    numbers = {"seeds": len(seeds), "first": seeds[0], "runs": runs, "statements": statements, "failing": failing}
    print(json.dumps({**numbers, "seconds": round(time.monotonic() - began, 1)}), flush=True)
    sys.exit(bool(failing))


def told(result: SimulationResult) -> str:
    """What is wrong with a seed, and how to see it again."""
    lines = [f"seed {result.seed} ({result.digest}):", *result.violations]
    return "\n    ".join([*lines, f'see it again with: make simulate SIMULATE_ARGS="--seed {result.seed}"'])


@contextmanager
def database_server() -> Iterator[DatabaseServer]:
    """A server of its own with a database for simulations."""
    with serving(EMBEDDED) as postgresql:
        url = postgresql.create_database("simulation")
        upgrade(url)
        with simulated_server(url, postgresql.socket_dir) as server:
            yield server


if __name__ == "__main__":
    main()
