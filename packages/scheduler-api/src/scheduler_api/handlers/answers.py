"""Answers as bytes: JSON from structs, pages with their cursors."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Response

from scheduler_api.schemas.cursor import encode_cursor

JSON_MEDIA_TYPE = "application/json"


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """A value as JSON."""
    return encoded_answer(msgspec.json.encode(value), status, headers)


def encoded_answer(content: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """JSON that is encoded already."""
    return Response(content, status_code=status, media_type=JSON_MEDIA_TYPE, headers=dict(headers or {}))


def page_answer(items: Sequence[Any], limit: int, kind: str, *place: str) -> Response[bytes]:
    """``{"items", "next_cursor"}`` of up to `limit` items; pass one item more than that when there are more.

    The cursor holds the fields `place` of the last item.
    """
    shown = items[:limit]
    next_cursor = None
    if len(items) > limit:
        next_cursor = encode_cursor(kind, *(getattr(shown[-1], field) for field in place))
    return json_answer({"items": shown, "next_cursor": next_cursor})


def repeated_header(repeated: bool) -> dict[str, str]:
    """Tells that an answer is the one of an earlier request with the same Idempotency-Key."""
    return {"Idempotency-Replayed": "true"} if repeated else {}
