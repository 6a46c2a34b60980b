"""What one job may use at most, as people write it."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from scheduler_core.decisions.nearest import hint
from scheduler_core.decisions.size_text import parse_size

_SIZES = frozenset({"memory", "file_size"})
_LEAST: Mapping[str, int] = {
    "cpu_seconds": 1,
    "memory": 1024**2,
    "processes": 1,
    "open_files": 8,
    "file_size": 0,
}
_MOST = 2**62
CAPS = tuple(_LEAST)
"""Seconds of CPU time, bytes of address space, processes of the user, open files, bytes of a file: for each process."""


def caps_problems(caps: Any) -> Iterator[str]:
    """Everything that is wrong with the parameter caps.

    >>> list(caps_problems({"memory": "512MB", "cpu_seconds": 60}))
    []
    >>> list(caps_problems({"memory": "512 MX"}))[0]
    "caps.memory: '512 MX' is no size. Write a number of bytes, or one with K, M, G, T or P, such as 512MB or 1.5GB."
    """
    if not isinstance(caps, Mapping):
        yield f"caps is an object such as {{memory: 512MB, cpu_seconds: 60}}, not {caps!r:.80}."
        return
    for name, given in caps.items():
        if name not in _LEAST:
            yield f"caps has no {str(name)[:80]!r}.{hint(str(name), CAPS)} It knows {', '.join(CAPS)}."
            continue
        try:
            amount = _amount(name, given)
        except ValueError as error:
            yield f"caps.{name}: {error}"
            continue
        if not _LEAST[name] <= amount <= _MOST:
            yield f"caps.{name} is {given!r:.80}. Give at least {_LEAST[name]}, or leave it out for no limit."


def cap_amounts(caps: Mapping[str, Any]) -> dict[str, int]:
    """The caps as whole numbers of bytes, seconds and pieces; they have no problems."""
    return {name: _amount(name, given) for name, given in caps.items()}


def _amount(name: str, given: Any) -> int:
    if name in _SIZES and isinstance(given, str):
        return int(parse_size(given))
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given) or given != int(given):
        what = "a size such as 512MB" if name in _SIZES else "a whole number"
        raise ValueError(f"{given!r:.80} is not {what}.")
    return int(given)
