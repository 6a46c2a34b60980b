"""Bodies of bounded size, in bounded time."""

import asyncio
from typing import Any

import pytest

from scheduler_api.api_error import BodyTooLargeError, BodyTooSlowError
from scheduler_api.middleware.asgi import Message, Receive, Scope, Send
from scheduler_api.middleware.body_limit_middleware import BodyLimitMiddleware


async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that reads its body."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def serve(parts: list[bytes], headers: dict[str, str] | None = None, **options: Any) -> list[Message]:
    """Send a body in parts; after the last one comes silence."""
    sent: list[Message] = []
    left = list(parts)

    async def receive() -> Message:
        if not left:
            await asyncio.sleep(3600)
        part = left.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(left) or options.get("endless", False)}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
    }
    middleware = BodyLimitMiddleware(read_all, 10, body_seconds_max=options.get("seconds", 5.0))
    await middleware(scope, receive, send)
    return sent


async def test_body_limit_passes_a_body_of_just_the_limit() -> None:
    """The limit itself is allowed."""
    sent = await serve([b"12345", b"67890"])
    assert sent[1]["body"] == b"1234567890"


async def test_body_limit_refuses_by_announced_length() -> None:
    """A body that announces its size is refused with 413 before the app sees it, and after it was taken in."""
    sent = await serve([b"x" * 11], {"content-length": "11"})
    assert sent[0]["status"] == 413


async def test_body_limit_refuses_a_body_that_grows() -> None:
    """A body that does not announce its size is refused where it passes the limit."""
    with pytest.raises(BodyTooLargeError):
        await serve([b"x" * 6, b"x" * 6])


async def test_body_limit_refuses_a_body_that_stalls() -> None:
    """A client that stops sending does not hold a request for ever."""
    with pytest.raises(BodyTooSlowError):
        await serve([b"x"], endless=True, seconds=0.01)
