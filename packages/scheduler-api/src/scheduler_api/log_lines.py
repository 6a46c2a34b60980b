"""Entries of a run's output, cut down to the lines that are asked for."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from scheduler_core.models import RunLogEntry


def last_lines(entries: Sequence[RunLogEntry], count: int) -> list[RunLogEntry]:
    """The last so many lines, all of them where there are less."""
    kept: list[RunLogEntry] = []
    for entry in reversed(entries):
        begun = _count_begun(entry)
        if begun >= count:
            kept.append(_cut(entry, begun - count, None))
            break
        kept.append(entry)
        count -= begun
    return _filled(kept[::-1])


def line_range(entries: Sequence[RunLogEntry], from_line: int, to_line: int) -> list[RunLogEntry]:
    """The lines with these numbers; an entry that begins within one of them keeps its beginning."""
    cut = []
    for entry in entries:
        first = entry.first_line or 1
        is_within = from_line < first <= to_line + 1
        cut.append(_cut(entry, max(from_line - first, 0), max(to_line + 1 - first, 0), keeps_continued=is_within))
    return _filled(cut)


def lines_since(entries: Sequence[RunLogEntry], since: datetime) -> list[RunLogEntry]:
    """The lines from the first one on that came at `since` or later, entry by entry."""
    return _filled([_since(entry, since) for entry in entries])


def _since(entry: RunLogEntry, since: datetime) -> RunLogEntry:
    if entry.logged_at >= since or not entry.line_offsets:
        return entry
    wait = since - entry.logged_at
    late = (place for place, offset in enumerate(entry.line_offsets) if timedelta(milliseconds=offset) >= wait)
    return _cut(entry, next(late, len(entry.line_offsets)), None)


def _cut(entry: RunLogEntry, start: int, stop: int | None, *, keeps_continued: bool = False) -> RunLogEntry:
    """The lines from `start` to `stop` of those that begin in it, and with `keeps_continued` what is before them."""
    lines = _split(entry.content)
    offsets = [0] * len(lines) if entry.line_offsets is None else entry.line_offsets
    continued = max(len(lines) - len(offsets), 0)
    kept = lines[continued:][start:stop]
    before = lines[:continued] if keeps_continued else []
    skipped = lines[: continued - len(before)] + (lines[continued:][:start] if kept else [])
    offsets = offsets[start:stop]
    return msgspec.structs.replace(
        entry,
        content="".join(before + kept),
        line_offsets=None if entry.line_offsets is None else offsets,
        first_line=None if entry.first_line is None else entry.first_line + (start if kept else 0),
        first_byte=None if entry.first_byte is None else entry.first_byte + len("".join(skipped).encode()),
    )


def _count_begun(entry: RunLogEntry) -> int:
    return entry.content.count("\n") if entry.line_offsets is None else len(entry.line_offsets)


def _split(content: str) -> list[str]:
    """Lines with their ends; only a line feed ends one."""
    *ended, rest = content.split("\n")
    return [f"{line}\n" for line in ended] + ([rest] if rest else [])


def _filled(entries: Sequence[RunLogEntry]) -> list[RunLogEntry]:
    return [entry for entry in entries if entry.content]
