"""Rates as people write them: `100/min`, `5/s`, `10/5s`, `1000/d`."""

import re

from scheduler_core.decisions.duration_text import duration_text, parse_duration

_UNITS = {
    **dict.fromkeys(("s", "sec", "second"), 1),
    **dict.fromkeys(("m", "min", "minute"), 60),
    **dict.fromkeys(("h", "hour"), 3600),
    **dict.fromkeys(("d", "day"), 86_400),
    **dict.fromkeys(("w", "week"), 604_800),
}
_NAMES = {1: "s", 60: "min", 3600: "h", 86_400: "d", 604_800: "w"}
_RATE = re.compile(r"(\d{1,12})\s*/\s*(\S.*)", re.DOTALL | re.ASCII)


def parse_rate(text: str) -> tuple[int, float]:
    """How many, within how many seconds; raises ValueError with a sentence for people.

    >>> parse_rate("100/min"), parse_rate("10 / 5s")
    ((100, 60.0), (10, 5.0))
    """
    match = _RATE.fullmatch(text.strip())
    if match is not None:
        count, per = int(match[1]), match[2].strip()
        if per.lower() in _UNITS:
            return count, float(_UNITS[per.lower()])
        try:
            return count, float(parse_duration(per))
        except ValueError:
            pass
    raise ValueError(
        f"{text[:50]!a} is no rate. Write how many may start within which time: 100/min, 5/s, 1000/h, 50/d or 10/5s."
    )


def rate_text(count: int, seconds: float) -> str:
    """The shortest way to write a rate.

    >>> rate_text(100, 60), rate_text(10, 5), rate_text(1, 90), rate_text(3, 0.5)
    ('100/min', '10/5s', '1/1m30s', '3/0.5s')
    """
    if seconds != int(seconds):
        return f"{count}/{seconds:g}s"
    return f"{count}/{_NAMES.get(int(seconds)) or duration_text(int(seconds))}"
