"""What is kept of the output of an attempt that took its worker with it."""

from collections.abc import Iterable
from typing import Final

LINES_MAX: Final = 20
BYTES_MAX: Final = 4096
CUT: Final = "…"


def last_lines(pieces: Iterable[str]) -> tuple[str, ...]:
    """The last lines of an output that comes in pieces, at most LINES_MAX of them with BYTES_MAX bytes in all.

    A line that is too long for that alone is cut at its beginning.

    >>> last_lines(["one\\ntw", "o\\n", "three"])
    ('one', 'two', 'three')
    """
    kept: list[str] = []
    left = BYTES_MAX
    for line in reversed("".join(pieces).splitlines()[-LINES_MAX:]):
        size = len(line.encode(errors="replace"))
        if size > left:
            if not kept:
                kept.append(CUT + _end(line, left - len(CUT.encode())))
            break
        kept.append(line)
        left -= size
    return tuple(reversed(kept))


def _end(line: str, size: int) -> str:
    """The last whole characters of a line that fit into so many bytes."""
    return line.encode(errors="replace")[-size:].decode(errors="ignore")
