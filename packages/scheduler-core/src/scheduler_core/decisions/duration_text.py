"""Lengths of time as people write them in a schedule: `90s`, `15m`, `1h30m`, `1d`, `2w`."""

import re

_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.IGNORECASE)


def parse_duration(text: str) -> int:
    """Whole seconds; raises ValueError with a sentence for people.

    >>> parse_duration("1h30m"), parse_duration("45")
    (5400, 45)
    """
    stripped = text.strip().replace(" ", "")
    if stripped.isascii() and stripped.isdigit() and len(stripped) <= 12:
        return int(stripped)
    match = _DURATION.fullmatch(stripped)
    if not stripped or match is None:
        raise ValueError(
            f"'{text[:50]}' is no length of time. Write whole numbers with w, d, h, m and s, greatest first, such as "
            "90s, 15m or 1h30m."
        )
    return sum(int(number) * size for number, size in zip(match.groups(), _UNITS.values(), strict=True) if number)


def parse_kept_time(text: str) -> int:
    """Whole seconds for which something is kept; raises ValueError for a number without a unit, too.

    A number that was meant in days would have things removed after as many seconds.

    >>> parse_kept_time("30d")
    2592000
    """
    number = text.strip().replace(" ", "")
    if number.isascii() and number.isdigit():
        short = number[:12]
        raise ValueError(
            f"'{text[:50]}' has no unit, and what is kept for too short a time is gone. Write {short}d for days, "
            f"{short}h for hours or {short}s for seconds."
        )
    return parse_duration(text)


def duration_text(seconds: int) -> str:
    """The shortest way to write whole seconds, in weeks only when nothing is left over.

    >>> duration_text(5400), duration_text(1209600), duration_text(0)
    ('1h30m', '2w', '0s')
    """
    if seconds and seconds % _UNITS["w"] == 0:
        return f"{seconds // _UNITS['w']}w"
    parts = []
    for unit in ("d", "h", "m", "s"):
        number, seconds = divmod(seconds, _UNITS[unit])
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
