"""Named time zones and the moments at which their offset from UTC changes."""

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from scheduler_core.decisions.nearest import nearest

_SECOND = timedelta(seconds=1)
# No zone moves its clocks there and back within a week; Morocco's Ramadan month is the shortest known pair.
_PROBE = timedelta(days=7)
_UTC_NAMES = frozenset({"UTC", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu"})


@cache
def _loaded(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@cache
def _cities() -> dict[str, str]:
    return {zone.rpartition("/")[2].lower(): zone for zone in sorted(_zone_names(), reverse=True)}


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())  # from disk, which takes 10 ms


def find_zone(name: str) -> ZoneInfo | None:
    """The zone of this IANA name, spelt exactly, or None. 'localtime' is none: it differs from host to host.

    >>> find_zone("Europe/Berlin")
    zoneinfo.ZoneInfo(key='Europe/Berlin')
    >>> find_zone("Berlin") is None
    True
    """
    if name == "localtime":
        return None
    try:
        return _loaded(name)
    except (KeyError, ValueError, OSError):  # unknown; not a key at all; a folder, or too long for a file name
        return None


@lru_cache(maxsize=1024)
def unknown_zone_message(name: str) -> str:
    """Say that there is no such zone and which one was probably meant.

    >>> unknown_zone_message("Berlin")
    "There is no time zone 'Berlin'. Did you mean Europe/Berlin?"
    """
    wanted = name.strip().replace(" ", "_").lower()
    match = _cities().get(wanted) or nearest(name, _zone_names())
    remedy = f"Did you mean {match}?" if match else "Use an IANA name such as Europe/Berlin or UTC."
    return f"There is no time zone '{name[:100]}'. {remedy}"


def first_change(zone: ZoneInfo, after: datetime, until: datetime) -> datetime | None:
    """The first UTC instant in (after, until] at which the zone's offset is another than the second before."""
    if zone.key in _UTC_NAMES:
        return None
    offset = after.astimezone(zone).utcoffset()
    low = after
    while low < until:
        high = min(low + _PROBE, until)
        if high.astimezone(zone).utcoffset() != offset:
            return _bisect(zone, low, high)
        low = high
    return None


def _bisect(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    # Changes fall on whole seconds, so the search may leave fractions behind.
    low = low.replace(microsecond=0)
    offset = low.astimezone(zone).utcoffset()
    while high - low > _SECOND:
        middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return low + _SECOND


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant of a wall-clock time: the first of two, and the end of the gap for one that does not exist.

    >>> instant_of(datetime(2026, 3, 29, 2, 30), find_zone("Europe/Berlin")).isoformat()
    '2026-03-29T01:00:00+00:00'
    """
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None, fold=0) == wall.replace(fold=0):
        return instant
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return first_change(zone, before, instant) or instant
