"""`make bench-compare`: our figures beside those of other systems, taken in turns on this machine in one run.

JSON lines on stdout, one a figure; progress and tables on stderr. Systems that are missing are installed from PyPI into
.tools/peers. All of it with five repetitions takes two to three hours: --only, --workloads and --repeat shorten it.
"""

import argparse
import os
import platform
import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.chart import svg_chart
from benchmarks.comparison import (
    Turn,
    charted,
    comparison_tables,
    failures,
    remaining_seconds,
    turns,
    with_section,
)
from benchmarks.measured_turn import measured
from benchmarks.peers.catalogue import ALL_RECORDED, PEERS, PINS, WORKLOADS, chosen_peers, chosen_workloads
from benchmarks.peers.environments import ROOT, python_of
from benchmarks.results import OURS, Result, error_line, medians, read_results
from benchmarks.time_limits import hear_signals
from benchmarks.workloads.catalogue import WORKLOADS as OUR_WORKLOADS

_PAGE = ROOT / "docs" / "performance.md"
_CHART = ROOT / "docs" / "performance.svg"
_SECTION = "bench-compare"
_TITLE = "Ours beside other systems"


def main() -> None:
    """Measure and print; exit code 1 when a measurement gave no figure."""
    options = _parser().parse_args()
    try:
        systems, workloads = chosen_peers(options.only), chosen_workloads(options.workloads)
        if options.write_docs:
            with_section(_PAGE.read_text(), _SECTION, "")  # not found out hours later
        lines = [line for file in options.add for line in file.read_text().splitlines()]
    except (ValueError, OSError) as error:
        sys.exit(f"make bench-compare: {error}")
    hear_signals()
    planned = turns({system: PEERS[system].workloads for system in systems}, workloads, options.repeat)
    broken = _install({PEERS[turn.system].environment for turn in planned if turn.system != OURS})
    done: list[tuple[Turn, float]] = []
    for number, turn in enumerate(planned):
        left = remaining_seconds(done, planned[number:]) / 60
        _say(f"{number + 1} of {len(planned)}: {turn.system} {turn.workload}, about {left:.0f} min left")
        began = time.monotonic()
        reason = "" if turn.system == OURS else broken.get(PEERS[turn.system].environment, "")
        found = (
            [error_line(turn.workload, reason, turn.repetition, system=turn.system)]
            if reason
            else measured(turn, _command(turn, is_quick=options.quick))
        )
        done.append((turn, time.monotonic() - began))
        lines += found
        _write(found, options.out)
    results = read_results(lines)
    records = {OURS: ALL_RECORDED, **{system: entry.record for system, entry in PEERS.items()}}
    tables = comparison_tables(results, records)
    print(f"\n{tables}", file=sys.stderr)
    for failure in failures(results):
        _say(f"no figure: {failure}")
    if options.write_docs:
        _write_docs(results, tables)
    sys.exit(any(result.error for result in results))


def _command(turn: Turn, *, is_quick: bool) -> list[str]:
    measuring = ["benchmarks"] if turn.system == OURS else ["benchmarks.peers", turn.system]
    return [sys.executable, "-m", *measuring, turn.workload, *(["--quick"] if is_quick else [])]


def _install(environments: set[str]) -> dict[str, str]:
    """Make what is missing, before anything is measured; of those that cannot be made, why."""
    broken = {}
    for environment in sorted(environments):
        try:
            python_of(environment)
        except RuntimeError as error:
            broken[environment] = str(error)
    return broken


def _write(lines: Sequence[str], out: Path | None) -> None:
    text = "".join(f"{line}\n" for line in lines)
    if out is None:
        print(text, end="", flush=True)
    else:
        with out.open("a") as file:
            file.write(text)


def _write_docs(results: Sequence[Result], tables: str) -> None:
    counts = sorted({median.repetitions for median in medians(results).values()})
    repetitions = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1]))) if counts else "0"
    versions = [re.sub(r"(\[.*])?==", " ", pins[0]) for pins in PINS.values()]
    said = (
        f"Written by `make bench-compare` on {datetime.now(UTC):%Y-%m-%d}: medians of {repetitions}, the lowest and "
        f"the highest in brackets, × is ours divided by theirs. {os.cpu_count()} cores, "
        f"Python {platform.python_version()}; {', '.join(versions)}.\n\n![{_TITLE}]({_CHART.name})\n"
    )
    _PAGE.write_text(with_section(_PAGE.read_text(), _SECTION, f"\n{said}\n{tables}\n"))
    _CHART.write_text(svg_chart(charted(medians(results)), _TITLE))


def _parser() -> argparse.ArgumentParser:
    ours = "\n".join(f"  {name:12} {OUR_WORKLOADS[name].sentence}" for name in WORKLOADS)
    parser = argparse.ArgumentParser(
        prog="make bench-compare",
        description=__doc__,
        epilog=f"workloads:\n{ours}\nsystems:\n  {', '.join(PEERS)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", type=_names, default=list(PEERS), help="these systems: pgqueuer,celery")
    parser.add_argument("--workloads", type=_names, default=list(WORKLOADS), help="these workloads: W1,W2-latency")
    parser.add_argument("--repeat", type=int, default=5, help="repetitions (5); 0 measures nothing")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works; no figures for others")
    parser.add_argument("--out", type=Path, help="append the JSON lines to this file instead")
    parser.add_argument("--add", type=Path, action="append", default=[], help="count in the lines of an earlier run")
    parser.add_argument("--write-docs", action="store_true", help=f"put tables and chart into {_PAGE.parent.name}/")
    return parser


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _say(text: str) -> None:
    print(f"bench-compare: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
