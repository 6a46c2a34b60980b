"""Bodies within limits."""

import pytest

from scheduler_api.api_error import MalformedBodyError
from scheduler_api.schemas.json_body import JSON_DEPTH_MAX, decode_json


def nested(depth: int) -> bytes:
    """`depth` lists, each in the one before."""
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize("body", [b"", b"  ", b"{", b"NaN", b'"\xff"', b'{"a": "\\ud800"}', nested(100_000), b"1e999"])
def test_decode_json_refuses_what_is_no_json(body: bytes) -> None:
    """Damaged, empty and bottomless bodies are a 400, never a crash."""
    with pytest.raises(MalformedBodyError):
        decode_json(body)


def test_decode_json_bounds_the_depth() -> None:
    """The deepest body that is taken is JSON_DEPTH_MAX levels deep."""
    decode_json(nested(JSON_DEPTH_MAX))
    with pytest.raises(MalformedBodyError, match="levels deep"):
        decode_json(nested(JSON_DEPTH_MAX + 1))
