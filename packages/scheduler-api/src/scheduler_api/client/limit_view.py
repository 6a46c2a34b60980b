"""Limits as tables: what the columns of `limit list` and the lines of `limit show` say."""

from collections.abc import Mapping
from typing import Any

from scheduler_api.client.human_time import show_instant
from scheduler_core.decisions.rate_text import rate_text

LIMIT_HEADINGS = ("ID", "NAME", "KEY", "AT ONCE", "RATE", "BURST", "TASKS")
KEY_HEADINGS = ("KEY", "RUNNING", "CLAIMABLE", "WAITING", "NEXT START", "HELD BY")


def limit_row(limit: Mapping[str, Any]) -> list[str]:
    """One limit as a line of the list."""
    return [
        str(limit["id"]),
        str(limit["name"]),
        str(limit.get("key") or "-"),
        _number(limit.get("concurrent")),
        _rate(limit),
        _number(_burst(limit)),
        ", ".join(limit.get("tasks") or ()) or "-",
    ]


def limit_fields(limit: Mapping[str, Any]) -> list[tuple[str, str]]:
    """One limit in full."""
    return [
        ("Name", str(limit["name"])),
        ("Id", str(limit["id"])),
        ("Namespace", str(limit["namespace"])),
        ("Description", str(limit.get("description") or "-")),
        ("Counts by", str(limit.get("key") or "nothing: all runs together")),
        ("At once", _number(limit.get("concurrent"))),
        ("Rate", _rate(limit)),
        ("Burst", _number(_burst(limit))),
        ("Used by", ", ".join(limit.get("tasks") or ()) or "no task"),
        ("Created", show_instant(limit.get("created_at"))),
        ("Changed", show_instant(limit.get("updated_at"))),
    ]


def key_row(limit: Mapping[str, Any], use: Mapping[str, Any]) -> list[str]:
    """One key of a limit as a line of its table."""
    concurrent = limit.get("concurrent")
    return [
        str(use["key"]) if limit.get("key") else "-",
        str(use["running"]) + ("" if concurrent is None else f" of {concurrent}"),
        str(use["claimable"]),
        str(use["waiting"]),
        show_instant(use.get("free_at")),
        _holders(use),
    ]


def limit_words(limit: Mapping[str, Any]) -> str:
    """What a limit allows, in a few words.

    >>> limit_words({"concurrent": 2, "rate": 100, "rate_seconds": 60.0, "key": "params.customer"})
    '2 at once, 100/min, by params.customer'
    """
    words = [f"{limit['concurrent']} at once"] if limit.get("concurrent") is not None else []
    words += [_rate(limit)] if limit.get("rate") is not None else []
    words += [f"by {limit['key']}"] if limit.get("key") else []
    return ", ".join(words)


def _holders(use: Mapping[str, Any]) -> str:
    holders = [str(run_id) for run_id in use.get("holders") or ()]
    more = int(use["running"]) - len(holders)
    return ", ".join(holders) + (f" and {more} more" if more > 0 and holders else "") or "-"


def _burst(limit: Mapping[str, Any]) -> int | None:
    """How many may start together: as many as the rate says unless it is given."""
    burst: int | None = limit.get("burst")
    return burst if burst is not None else limit.get("rate")


def _rate(limit: Mapping[str, Any]) -> str:
    rate = limit.get("rate")
    return "-" if rate is None else rate_text(int(rate), float(limit["rate_seconds"]))


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)
