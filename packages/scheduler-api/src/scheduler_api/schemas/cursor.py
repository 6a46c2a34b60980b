"""Opaque cursors: where a list goes on. They hold a place, never a promise, and may be kept."""

import base64
import binascii

_ID_MAX = 2**63 - 1


def encode_cursor(kind: str, *place: int) -> str:
    """A cursor of one kind of list, fit for a URL.

    >>> decode_cursor("run", encode_cursor("run", 42))
    (42,)
    """
    text = ".".join((kind, *map(str, place)))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str, length: int = 1) -> tuple[int, ...]:
    """The place; raises ValueError for anything that `encode_cursor` did not make for this kind of list."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise ValueError(_WRONG) from None
    found, *place = text.split(".")
    if (
        found != kind
        or len(place) != length
        or not all(part.isdigit() and len(part) <= 19 and int(part) <= _ID_MAX for part in place)
    ):
        raise ValueError(_WRONG)
    return tuple(map(int, place))


_WRONG = "This cursor does not belong to this list. Take next_cursor from a page of the same list."
