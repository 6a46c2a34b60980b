"""What benchmarks print: one JSON object a line for each figure, and the table that many such lines make."""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

OURS = "scheduler"
RATE = "1/s"
"""The one unit of which more is better."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one repetition; `error` says in its place why there is none."""

    system: str
    workload: str
    metric: str = ""
    value: float | None = None
    unit: str = ""
    repetition: int = 1
    error: str = ""


class Median(msgspec.Struct, frozen=True, kw_only=True):
    """The middle of the repetitions of one figure, and how far they lay apart."""

    value: float
    lowest: float
    highest: float
    repetitions: int
    unit: str


Key = tuple[str, str, str]
"""System, workload, metric."""


def result_line(
    workload: str, metric: str, value: float, unit: str, repetition: int, *, system: str = OURS, **extra: Any
) -> str:
    """One figure as a line of JSON; what else is worth knowing follows it."""
    line = {"system": system, "workload": workload, "metric": metric, "value": round(value, 4), "unit": unit}
    return json.dumps({**line, "repetition": repetition, **extra}, ensure_ascii=False)


def error_line(workload: str, error: str, repetition: int, *, system: str = OURS) -> str:
    """That a workload gave no figure, and why."""
    return json.dumps(
        {"system": system, "workload": workload, "repetition": repetition, "error": error}, ensure_ascii=False
    )


def read_results(source: Path | Iterable[str]) -> list[Result]:
    """The figures and errors among the lines of a file or of anything else; what is not such a line is passed over."""
    lines = source.read_text().splitlines() if isinstance(source, Path) else source
    found = []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Result))
        except msgspec.DecodeError:
            continue
    return found


def medians(results: Iterable[Result]) -> dict[Key, Median]:
    """The median of each figure over its repetitions, in the order of their first appearance."""
    values: dict[Key, list[float]] = {}
    units: dict[Key, str] = {}
    for result in results:
        if result.value is not None:
            key = (result.system, result.workload, result.metric)
            values.setdefault(key, []).append(result.value)
            units[key] = result.unit
    return {
        key: Median(
            value=statistics.median(found),
            lowest=min(found),
            highest=max(found),
            repetitions=len(found),
            unit=units[key],
        )
        for key, found in values.items()
    }


def markdown_table(results: Sequence[Result]) -> str:
    """A row for each figure and a column for each system, ours first; with several repetitions their range too."""
    found = medians(results)
    systems = sorted(dict.fromkeys(result.system for result in results), key=lambda system: system != OURS)
    rows = dict.fromkeys((workload, metric) for _, workload, metric in found)
    failed = {(result.system, result.workload) for result in results if result.error}
    rows.update(dict.fromkeys((workload, "") for _, workload in sorted(failed) if not _has(found, workload)))
    lines = [
        "| " + " | ".join(["workload", "figure", "unit", *systems]) + " |",
        "|---|---|---|" + "---:|" * len(systems),
    ]
    for workload, metric in rows:
        unit = next((median.unit for key, median in found.items() if key[1:] == (workload, metric)), "")
        cells = [
            _cell(found.get((system, workload, metric)), failed=(system, workload) in failed) for system in systems
        ]
        lines.append("| " + " | ".join([workload, metric, unit, *cells]) + " |")
    return "\n".join(lines) + "\n"


def number_text(value: float) -> str:
    """A number with as many digits as say something: three, or all before the point."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _has(found: dict[Key, Median], workload: str) -> bool:
    return any(key[1] == workload for key in found)


def _cell(median: Median | None, *, failed: bool) -> str:
    if median is None:
        return "failed" if failed else "–"
    text = number_text(median.value)
    if median.repetitions > 1:
        text += f" ({number_text(median.lowest)}–{number_text(median.highest)})"
    return text
