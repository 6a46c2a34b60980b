"""What somebody probably meant by a name that does not exist."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like `name`, whatever its case; None when nothing comes close.

    >>> nearest("shel", ["shell", "http", "python"])
    'shell'
    >>> nearest("europe/Berlin", ["Europe/Berlin", "Europe/Dublin"])
    'Europe/Berlin'
    """
    by_lower = {candidate.lower(): candidate for candidate in sorted(known, reverse=True)}
    matches = get_close_matches(name.lower()[:255], by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else None


def hint(name: str, known: Iterable[str]) -> str:
    """A sentence, with a leading space, that offers the nearest name, or lists the few there are.

    >>> hint("comand", ["command", "env"])
    ' Did you mean command?'
    >>> hint("x", ["command", "env"])
    ' Known: command, env.'
    """
    names = sorted(known)
    match = nearest(name, names)
    if match:
        return f" Did you mean {match}?"
    return f" Known: {', '.join(names)}." if 0 < len(names) <= 20 else ""
