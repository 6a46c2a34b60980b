"""Instants and durations as people read them. Every instant is shown with its zone."""

from datetime import UTC, datetime, tzinfo


def parse_instant(text: str, zone: tzinfo = UTC) -> datetime:
    """The instant that an RFC 3339 text of the API names; without an offset it is in `zone`.

    >>> parse_instant("2026-11-24T02:17:06.5Z").isoformat()
    '2026-11-24T02:17:06.500000+00:00'
    """
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=zone)


def show_instant(text: str | None, zone: tzinfo | None = None) -> str:
    """An instant to the second in `zone`, or in this machine's zone; "-" for None.

    >>> show_instant("2026-11-24T02:17:06.5Z", UTC)
    '2026-11-24 02:17:06 UTC'
    """
    if text is None:
        return "-"
    return parse_instant(text).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def show_duration(seconds: float) -> str:
    """A length of time with the two units that matter.

    >>> show_duration(0.0421), show_duration(12.34), show_duration(300), show_duration(3725), show_duration(200000)
    ('42 ms', '12.3 s', '5 min', '1 h 2 min', '2 d 7 h')
    """
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    largest = next(index for index, (size, _) in enumerate(units) if seconds >= size)
    (size, unit), (size_below, unit_below) = units[largest : largest + 2]
    below = int(seconds) % size // size_below
    return f"{int(seconds) // size} {unit}" + (f" {below} {unit_below}" if below else "")


def show_time_between(start: str | None, end: str | None) -> str:
    """The length of time between two instants; "-" when one of them is not known."""
    if start is None or end is None:
        return "-"
    return show_duration((parse_instant(end) - parse_instant(start)).total_seconds())


def show_age(instant: str | None) -> str:
    """How long ago an instant was, by this machine's clock; "-" for None."""
    if instant is None:
        return "-"
    return f"{show_duration((datetime.now(UTC) - parse_instant(instant)).total_seconds())} ago"
