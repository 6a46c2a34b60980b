"""Cross-origin requests of browsers. Keys travel in a header, never in a cookie, so no credentials are allowed."""

from collections.abc import Collection

from scheduler_api.middleware.asgi import AsgiApp, Message, Receive, Scope, Send
from scheduler_api.middleware.asgi_answer import header_of, send_response

_METHODS = "GET, POST, PUT, PATCH, DELETE"
_HEADERS = "Authorization, X-API-Key, Content-Type, Idempotency-Key, X-Request-ID, Traceparent, Tracestate"
_EXPOSED = b"Location, Retry-After, Idempotency-Replayed, X-Request-ID"
_PREFLIGHT_SECONDS = "600"


class CorsMiddleware:
    """Lets pages of the given origins read answers; no origins, or "*", means any."""

    def __init__(self, app: AsgiApp, origins: Collection[str]) -> None:
        self._app = app
        self._origins = frozenset(origins) - {"*"}
        self._any = not self._origins or "*" in origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        origin = header_of(scope, b"origin") if scope["type"] == "http" else ""
        if not origin or not (self._any or origin in self._origins):
            await self._app(scope, receive, send)
            return
        allowed = "*" if self._any else origin
        if scope["method"] == "OPTIONS" and header_of(scope, b"access-control-request-method"):
            headers = {
                "access-control-allow-origin": allowed,
                "access-control-allow-methods": _METHODS,
                "access-control-allow-headers": _HEADERS,
                "access-control-max-age": _PREFLIGHT_SECONDS,
                "vary": "Origin",
            }
            await send_response(send, 204, headers)
            return

        async def send_allowed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"access-control-allow-origin", allowed.encode("latin-1")),
                    (b"access-control-expose-headers", _EXPOSED),
                    (b"vary", b"Origin"),
                ]
            await send(message)

        await self._app(scope, receive, send_allowed)
