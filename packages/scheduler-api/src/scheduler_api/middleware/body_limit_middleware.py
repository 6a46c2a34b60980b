"""Bodies of bounded size, in bounded time."""

import asyncio

from scheduler_api.api_error import BodyTooLargeError, BodyTooSlowError
from scheduler_api.middleware.asgi import AsgiApp, Message, Receive, Scope, Send
from scheduler_api.middleware.asgi_answer import header_of, send_problem

BODY_SECONDS_MAX = 30.0
_DISCARDED_TIMES_MAX = 8


class BodyLimitMiddleware:
    """Refuses bodies over the limit: at once by their announced length, else when they grow over it."""

    def __init__(self, app: AsgiApp, body_bytes_max: int, body_seconds_max: float = BODY_SECONDS_MAX) -> None:
        self._app = app
        self._bytes_max = body_bytes_max
        self._seconds_max = body_seconds_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = header_of(scope, b"content-length")
        if announced.isdigit() and (len(announced) > 18 or int(announced) > self._bytes_max):
            await self._discard(receive)
            await send_problem(send, BodyTooLargeError(self._bytes_max), {"connection": "close"})
            return
        await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        received = 0
        complete = False

        async def receive_counted() -> Message:
            nonlocal received, complete
            if complete:
                return await receive()  # waits for the client to leave
            try:
                async with asyncio.timeout(self._seconds_max):
                    message = await receive()
            except TimeoutError:
                raise BodyTooSlowError(
                    f"The body paused for more than {self._seconds_max:g} s. Send it faster."
                ) from None
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                complete = not message.get("more_body", False)
                if received > self._bytes_max:
                    raise BodyTooLargeError(self._bytes_max)
            return message

        return receive_counted

    async def _discard(self, receive: Receive) -> None:
        """Take in some of a body that is refused: a client that still sends would not read the answer."""
        left = self._bytes_max * _DISCARDED_TIMES_MAX
        try:
            async with asyncio.timeout(self._seconds_max):
                while left > 0:
                    message = await receive()
                    if message["type"] != "http.request" or not message.get("more_body", False):
                        return
                    left -= len(message.get("body", b""))
        except TimeoutError:
            return
