"""Amounts of memory and disk as people write them: `512MB`, `4GB`, `1.5GiB`."""

import math
import re

_UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4, "P": 1024**5}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)(?:([KMGTP])I?)?B?", re.IGNORECASE)


def parse_size(text: str) -> float:
    """Bytes; K, M, G, T and P are 1024 of the one before, with or without B or iB behind them.

    Raises ValueError with a sentence for people.

    >>> parse_size("2KB"), parse_size("1.5 GiB"), parse_size("100")
    (2048.0, 1610612736.0, 100.0)
    """
    match = _SIZE.fullmatch(text.strip().replace(" ", ""))
    if match is None or not text.isascii():
        raise ValueError(
            f"{text[:50]!a} is no size. Write a number of bytes, or one with K, M, G, T or P, such as 512MB or 1.5GB."
        )
    number, unit = match.groups()
    return float(number) * (_UNITS[unit.upper()] if unit else 1)


def size_text(amount: float) -> str:
    """The size in its greatest unit that leaves at least 1, to one decimal place at most.

    >>> size_text(1610612736), size_text(2048), size_text(100), size_text(1024 ** 2 - 1)
    ('1.5GB', '2KB', '100B', '1MB')
    """
    if not math.isfinite(amount):
        return f"{amount}B"
    unit, shown = "", amount
    for candidate, size in _UNITS.items():
        # What is written as 1024 of a unit is 1 of the next.
        if round(shown, 1) < 1024:
            break
        unit, shown = candidate, amount / size
    return f"{round(shown, 1):g}{unit}B"
