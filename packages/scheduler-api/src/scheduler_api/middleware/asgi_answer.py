"""Answers that a middleware gives by itself."""

from collections.abc import Mapping

import msgspec

from scheduler_api.api_error import answer_to
from scheduler_api.middleware.asgi import Scope, Send
from scheduler_api.schemas.problem_schema import PROBLEM_MEDIA_TYPE, problem_document


async def send_problem(send: Send, error: Exception, headers: Mapping[str, str] | None = None) -> None:
    """Send an error as a problem document."""
    answer = answer_to(error)
    content = msgspec.json.encode(problem_document(error))
    told = {
        "content-type": PROBLEM_MEDIA_TYPE,
        "content-length": str(len(content)),
        **{name.lower(): value for name, value in answer.headers.items()},
        **(headers or {}),
    }
    await send_response(send, answer.status, told, content)


async def send_response(send: Send, status: int, headers: Mapping[str, str], content: bytes = b"") -> None:
    """Send a whole response."""
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": content, "more_body": False})


def header_of(scope: Scope, name: bytes) -> str:
    """The first header of this (lower-case) name; empty when there is none."""
    for key, value in scope["headers"]:
        if key.lower() == name:
            return bytes(value).decode("latin-1")
    return ""
