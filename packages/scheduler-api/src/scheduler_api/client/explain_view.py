"""Explanations as tables."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from scheduler_api.client.human_time import show_instant

BLOCKER_HEADINGS = ("BLOCKER", "WHY", "SINCE", "WHAT CLEARS IT", "EXPECTED")
STORY_HEADINGS = ("WHEN", "WHAT HAPPENED")


def blocker_row(blocker: Mapping[str, Any]) -> list[str]:
    """One blocker as a line; what only delays says so."""
    return [
        str(blocker["code"]) if blocker["blocks"] else f"{blocker['code']} (only delays)",
        str(blocker["message"]),
        show_instant(blocker["since"], UTC),
        str(blocker["clears"]),
        show_instant(blocker["estimate"], UTC),
    ]


def blocker_block(row: Sequence[str]) -> tuple[str, str]:
    """One blocker, by its line of the table, as a name and a few lines.

    >>> blocker_block(["PAUSED", "It is paused.", "-", "Resume it.", "-"])
    ('PAUSED', 'It is paused.\\nWhat clears it: Resume it.')
    """
    code, why, since, clears, expected = row
    times = [f"since {since}"] if since != "-" else []
    times += [f"expected {expected}"] if expected != "-" else []
    told = ", ".join(times)
    return code, "\n".join([why, f"What clears it: {clears}", *([f"{told[0].upper()}{told[1:]}."] if told else [])])


def story_row(part: Mapping[str, Any]) -> list[str]:
    """One part of the story as a line."""
    return [show_instant(part["at"], UTC), str(part["message"])]
