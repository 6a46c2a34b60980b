"""`make bench`: JSON lines on stdout, one a figure; progress and a table on stderr."""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.chart import svg_chart
from benchmarks.results import error_line, markdown_table, medians, read_results, result_line
from benchmarks.time_limits import TimeIsUpError, hear_signals, time_limit
from benchmarks.workloads.catalogue import DEFAULT, WORKLOADS, chosen
from benchmarks.workloads.figure import QUICK, Size


def main() -> None:
    """Measure and print; exit code 1 when a workload gave no figure."""
    options = _parser().parse_args()
    try:
        names = list(WORKLOADS) if options.all else chosen(options.workloads or [DEFAULT])
    except ValueError as error:
        sys.exit(f"make bench: {error}")
    size = QUICK if options.quick else Size()
    if options.n is not None:
        size = size._replace(runs=options.n)
    hear_signals()
    lines = []
    for line in measured(names, size, options.repeat):
        print(line, flush=True)
        lines.append(line)
    results = read_results(lines)
    print(f"\n{markdown_table(results)}", file=sys.stderr)
    if options.svg is not None:
        options.svg.write_text(svg_chart(medians(results), "Figures of make bench"))
    sys.exit(any(result.error for result in results))


def measured(names: list[str], size: Size, repetitions: int) -> Iterator[str]:
    """The lines of all figures, workload by workload within each repetition, so that drift hits all alike."""
    for repetition in range(1, repetitions + 1):
        for name in names:
            workload, began = WORKLOADS[name], time.monotonic()
            print(f"{name} {repetition}/{repetitions}: {workload.sentence} ...", file=sys.stderr, flush=True)
            try:
                with time_limit(workload.seconds_max):
                    for figure in workload.measure(size):
                        facts = {key: value for key, value in figure.facts.items() if key != "metric"}
                        yield result_line(name, figure.metric, figure.value, figure.unit, repetition, **facts)
            except (Exception, TimeIsUpError) as error:
                reason = f"not within {workload.seconds_max:g} s" if isinstance(error, TimeIsUpError) else str(error)
                print(f"the benchmark failed: {reason}", file=sys.stderr, flush=True)
                yield error_line(name, reason.partition("\n")[0] or type(error).__name__, repetition)
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    known = "\n".join(f"  {name:18} {workload.sentence}" for name, workload in WORKLOADS.items())
    parser = argparse.ArgumentParser(
        prog="make bench",
        description=__doc__,
        epilog=f"workloads:\n{known}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("workloads", nargs="*", help=f"which, or a group such as W1 ({DEFAULT})")
    parser.add_argument("--all", action="store_true", help="all of them, which takes the better part of an hour")
    parser.add_argument("-n", type=int, help=f"runs of W1 ({Size().runs})")
    parser.add_argument("--repeat", type=int, default=1, help="repetitions, each on a new system (1)")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works; no figures for others")
    parser.add_argument("--svg", type=Path, help="also draw a chart into this file")
    return parser


if __name__ == "__main__":
    main()
