"""Opaque cursors."""

import base64

import pytest

from scheduler_api.schemas.cursor import decode_cursor, encode_cursor


def test_decode_cursor_gives_back_the_place() -> None:
    """What was encoded is decoded."""
    assert decode_cursor("log", encode_cursor("log", 3, 17), 2) == (3, 17)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "!",
        "AAAA",
        "é",
        "12",
        encode_cursor("task", 1),
        encode_cursor("run", 1, 2),
        encode_cursor("run", -1),
        encode_cursor("run", 2**63),
        base64.urlsafe_b64encode(b"run." + b"9" * 5000).decode().rstrip("="),
        "a" * 10_001,
    ],
)
def test_decode_cursor_refuses_what_is_no_cursor_of_this_list(cursor: str) -> None:
    """Anything else is a ValueError: another list's cursor, damage, or a number no id can have."""
    with pytest.raises(ValueError, match="does not belong to this list"):
        decode_cursor("run", cursor)
