"""Entries of a run's output as text."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any


def log_text(entry: Mapping[str, Any], *, timestamps: bool = False) -> str:
    """An entry as it was printed, or with the time in front of each line that begins in it.

    In front of what a search has found there are the numbers of the lines.
    """
    content = str(entry["content"])
    numbers: list[int] | None = entry.get("lines")
    if not timestamps and numbers is None:
        return content
    *ended, rest = content.split("\n")
    lines = [f"{line}\n" for line in ended] + ([rest] if rest else [])
    offsets: list[int] | None = entry.get("line_offsets")
    if offsets is None:
        offsets = [0] * len(lines)
    # What stands before the first line that begins here goes on with a line that was begun before.
    continued = max(len(lines) - len(offsets), 0)
    begin = datetime.fromisoformat(entry["logged_at"])
    told = lines[:continued]
    for place, line in enumerate(lines[continued:]):
        number = f"{numbers[place]}:" if numbers is not None else ""
        time = f"{_time(begin, offsets[place])} " if timestamps else ""
        told.append(f"{number}{time}{line}")
    return "".join(told)


def _time(begin: datetime, offset: int) -> str:
    text = (begin + timedelta(milliseconds=offset)).astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
