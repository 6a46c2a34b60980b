"""What templates make of texts and instants, each result measured before it is made."""

import re
import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from scheduler_core.decisions.nearest import hint
from scheduler_core.decisions.templating.budget import Budget, LimitError
from scheduler_core.decisions.templating.operations import require
from scheduler_core.decisions.templating.values import as_text, kind_of
from scheduler_core.decisions.time_zone import find_zone, zone_names

FORMAT_MAX = 100

# A width, as in %999999d, is none of these: some C libraries would fill it.
_FORMAT = re.compile(r"([^%\0]|%[aAbBdHIjmMpSyYzZfuVGUWw%])*")
_TEXT_METHODS = frozenset({"lower", "upper", "strip", "split", "startswith", "endswith"})


def joined(parts: Sequence[Any], separator: str, budget: Budget) -> str:
    """The parts as one text."""
    texts = []
    for each in parts:
        require(each)
        text = as_text(each, budget)
        budget.produce(len(text) + len(separator))
        texts.append(text)
    budget.text(sum(map(len, texts)) + len(separator) * max(0, len(texts) - 1))
    return separator.join(texts)


def replaced(text: str, old: Any, new: Any, budget: Budget) -> str:
    """The text with `new` for each `old`."""
    if not isinstance(old, str) or not isinstance(new, str):
        raise LimitError("replace takes two texts: what is replaced, and by what.")
    budget.text(len(text) + max(0, len(new) - len(old)) * text.count(old))
    return text.replace(old, new)


def quoted(value: Any, budget: Budget) -> str:
    """The value as one word for a POSIX shell."""
    text = as_text(value, budget)
    budget.text(len(text) + 4 * text.count("'") + 2)
    return shlex.quote(text)


def formatted(value: Any, form: Any, zone: Any = None) -> str:
    """An instant, or its RFC 3339 text, in the form of strftime and in this time zone, which is UTC by default."""
    require(value)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise LimitError(f"{value[:50]!r} is no instant: write RFC 3339, such as 2026-01-31T00:00:00Z.") from None
    if not isinstance(value, datetime):
        raise LimitError(f"an instant has dates, not {kind_of(value)}.")
    if not isinstance(form, str) or len(form) > FORMAT_MAX or not _FORMAT.fullmatch(form):
        raise LimitError(
            f"the form of a date is a text of at most {FORMAT_MAX} characters such as '%Y-%m-%d', with none but plain "
            "codes of strftime."
        )
    if zone is not None:
        found = find_zone(zone) if isinstance(zone, str) else None
        if found is None:
            known = hint(zone, zone_names()) if isinstance(zone, str) else ""
            raise LimitError(f"there is no time zone {str(zone)[:50]!r}.{known}")
        if value.tzinfo is None:
            raise LimitError("a date without an offset from UTC cannot be moved to a time zone.")
        value = value.astimezone(found)
    return str(value.strftime(form))


def text_method(text: str, name: str, arguments: Sequence[Any], budget: Budget) -> Any:
    """What one of the methods that texts have in templates gives."""
    if name not in _TEXT_METHODS:
        raise LimitError(f"a text has no method {name}.{hint(name, _TEXT_METHODS)}")
    for each in arguments:
        require(each)
        if not isinstance(each, str) and not (name == "split" and (each is None or type(each) is int)):
            raise LimitError(f"{name} takes texts, not {kind_of(each)}.")
    if name == "split":
        separator = arguments[0] if arguments else None
        # None splits at white space: at most each other character.
        parts = text.count(separator) if separator else len(text) // 2
        budget.produce(len(text) + parts + 1)
    else:
        budget.produce(3 * len(text))
    made = getattr(text, name)(*arguments)
    if isinstance(made, str):
        budget.text(len(made))
    return made
