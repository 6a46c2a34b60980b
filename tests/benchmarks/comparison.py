"""What is decided about a comparison of systems: who is measured when, how long it takes, and the tables of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.results import OURS, RATE, Key, Median, Result, medians, number_text

CHARTED = (
    ("W1-bulk", "total_per_s"),
    ("W1-eight", "create_per_s"),
    ("W2-latency", "p50"),
    ("W2-latency", "p99"),
    ("W3-due", "1000_all_started"),
    ("W3-due", "10000_all_started"),
    ("W4-chain", "chain_step"),
    ("W4-fan", "fan_step_tasks"),
    ("W5-idle", "cold_start_s"),
    ("W5-idle", "workers_mib"),
)
"""What a chart shows of all figures."""

_GUESS_SECONDS: Mapping[str, float] = {"W3-due": 200.0, "W5-idle": 40.0}
_GUESS_SECONDS_ELSE = 25.0


class Turn(NamedTuple):
    """One measurement of one system; its figures say which repetition they are of."""

    repetition: int
    workload: str
    system: str


def turns(offers: Mapping[str, Sequence[str]], workloads: Sequence[str], repeat: int) -> list[Turn]:
    """All measurements in order, ours included wherever one of the peers has the workload that `offers` says it has.

    Those of a workload come right after each other, so that what else the machine does meets all alike; every other
    repetition begins with the one that came last before.
    """
    found = []
    for repetition in range(1, repeat + 1):
        for workload in workloads:
            peers = [system for system, offered in offers.items() if workload in offered]
            systems = [OURS, *peers] if peers else []
            ordered = systems if repetition % 2 else systems[::-1]
            found += [Turn(repetition, workload, system) for system in ordered]
    return found


def remaining_seconds(done: Sequence[tuple[Turn, float]], left: Sequence[Turn]) -> float:
    """How long the turns that are left will take: what the same took so far, else the same workload, else a guess."""
    took: dict[tuple[str, str], list[float]] = {}
    for turn, seconds in done:
        took.setdefault((turn.workload, turn.system), []).append(seconds)
        took.setdefault((turn.workload, ""), []).append(seconds)
    total = 0.0
    for turn in left:
        guess = [_GUESS_SECONDS.get(turn.workload, _GUESS_SECONDS_ELSE)]
        known = took.get((turn.workload, turn.system)) or took.get((turn.workload, "")) or guess
        total += sum(known) / len(known)
    return total


def ratio_to_ours(found: Mapping[Key, Median], key: Key) -> float | None:
    """Ours divided by theirs; None for ourselves, and where one of the two has no figure or theirs is 0."""
    system, workload, metric = key
    ours, theirs = found.get((OURS, workload, metric)), found.get(key)
    if system == OURS or ours is None or theirs is None or theirs.value == 0:
        return None
    return ours.value / theirs.value


def comparison_tables(results: Sequence[Result], records: Mapping[str, str]) -> str:
    """A Markdown table for each workload: a row for each system, a column for each figure that a peer has too.

    `records` says what each system keeps of a job.
    """
    found = medians(results)
    failed = {(result.system, result.workload): result.error for result in results if result.error}
    workloads = sorted(dict.fromkeys([workload for _, workload, _ in found] + [workload for _, workload in failed]))
    return "\n".join(_table(workload, found, failed, records) for workload in workloads)


def _table(
    workload: str,
    found: Mapping[Key, Median],
    failed: Mapping[tuple[str, str], str],
    records: Mapping[str, str],
) -> str:
    compared = {key: median for key, median in found.items() if key[1] == workload}
    metrics = dict.fromkeys(metric for system, _, metric in compared if system != OURS)
    failing = [system for system, failing_workload in failed if failing_workload == workload]
    systems = sorted(
        dict.fromkeys([system for system, _, _ in compared] + failing), key=lambda system: (system != OURS, system)
    )
    heads = [f"{metric}, {_unit(compared, metric)}" for metric in metrics]
    lines = [
        "| " + " | ".join([workload, "on record", *heads]) + " |",
        "|---|---|" + "---:|" * len(metrics),
    ]
    for system in systems:
        cells = [_cell(compared, (system, workload, metric), is_failed=system in failing) for metric in metrics]
        lines.append("| " + " | ".join([system, records.get(system, ""), *cells]) + " |")
    return "\n".join(lines) + "\n"


def _unit(compared: Mapping[Key, Median], metric: str) -> str:
    unit = next(median.unit for key, median in compared.items() if key[2] == metric)
    return f"{unit} (more is better)" if unit == RATE else unit


def _cell(compared: Mapping[Key, Median], key: Key, *, is_failed: bool) -> str:
    median = compared.get(key)
    if median is None:
        return "failed" if is_failed else "–"
    text = number_text(median.value)
    if median.repetitions > 1:
        text += f" ({number_text(median.lowest)}–{number_text(median.highest)})"
    ratio = ratio_to_ours(compared, key)
    return text if ratio is None else f"{text} · {number_text(ratio)} ×"


def charted(found: Mapping[Key, Median]) -> dict[Key, Median]:
    """What a chart shows of these, in its order."""
    return {key: median for chosen in CHARTED for key, median in found.items() if key[1:] == chosen}


def with_section(page: str, name: str, content: str) -> str:
    """The page with this between the markers of that name; raises ValueError when it does not have both, once each."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(f"the page has no place for the table: one line '{begin.strip()}' and one '{end}' are needed")
    before, _, rest = page.partition(begin)
    return f"{before}{begin}{content}{end}{rest.partition(end)[2]}"


def failures(results: Iterable[Result]) -> list[str]:
    """A sentence for each measurement that gave no figure."""
    return [
        f"{result.system}, {result.workload}, repetition {result.repetition}: {result.error}"
        for result in results
        if result.error
    ]
