"""The table of docs/reliability.md."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from torture.round import UNBOUNDED, Figure, Tally
from torture.sections import SECTIONS

BEGIN, END = "<!-- torture: begin -->", "<!-- torture: end -->"


def write_table(page: Path, tallies: Mapping[str, Tally | None]) -> None:
    """Replace what stands between the markers of the page; ValueError where they are missing."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no {BEGIN} and {END}. Put them where the table is to stand.")
    page.write_text(f"{before}{BEGIN}\n{table(tallies, datetime.now(UTC))}\n{END}{after}", encoding="utf-8")


def table(tallies: Mapping[str, Tally | None], now: datetime) -> str:
    """The figures of the sections that were played, one row a section."""
    played = {name: tally for name, tally in tallies.items() if tally is not None and tally.cycles}
    seeds = sorted({tally.seed for tally in played.values()})
    rows = [
        f"| {name}: {SECTIONS[name].what} | {_cycles(name, tally)} | {_figures(SECTIONS[name].figures(tally))} |"
        for name, tally in played.items()
    ]
    seconds = sum(tally.seconds for tally in played.values())
    seed = ", ".join(map(str, seeds)) or "none"
    commit = ", ".join(sorted({commit for tally in played.values() for commit in tally.commits if commit})) or "unknown"
    told = [
        f"Measured on {now:%Y-%m-%d} at commit {commit}, seed {seed}, {seconds / 60:.0f} minutes in all.",
        "",
        "| what was done | faults | what was seen |",
        "|---|---|---|",
        *rows,
    ]
    return "\n".join(told)


def _cycles(name: str, tally: Tally) -> str:
    section = SECTIONS[name]
    is_counted = section.cycles < UNBOUNDED
    return (
        f"{tally.cycles:,} of {section.cycles:,}"
        if is_counted and tally.cycles < section.cycles
        else f"{tally.cycles:,}"
    )


def _figures(figures: list[Figure]) -> str:
    return "; ".join(_figure(figure) for figure in figures)


def _figure(figure: Figure) -> str:
    value = f"{figure.value:,g}" if figure.value < 1e6 else f"{figure.value:,.0f}"
    shown = f"{figure.name} {value}{' ' + figure.unit if figure.unit else ''}"
    if figure.bound:
        shown += f" (at most {figure.bound:g})"
    if not figure.holds and figure.least is not None:
        shown += f" (at least {figure.least:g})"
    return shown if figure.holds else f"**{shown}**"
