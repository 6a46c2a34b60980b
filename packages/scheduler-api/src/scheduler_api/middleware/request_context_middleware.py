"""The outermost layer: request id, span, measurement, and an answer for whatever nobody caught."""

import time

import structlog
from opentelemetry import metrics, trace

from scheduler_api.middleware.asgi import AsgiApp, Message, Receive, Scope, Send
from scheduler_api.middleware.asgi_answer import header_of, send_problem
from scheduler_api.request_id import begin_request
from scheduler_api.trace_context import trace_context_of

logger = structlog.get_logger("scheduler.api")

_tracer = trace.get_tracer("scheduler.api")
_durations = metrics.get_meter("scheduler.api").create_histogram(
    "scheduler.api.request.duration", unit="s", description="How long requests took, by route and status."
)


class RequestContextMiddleware:
    """Gives each request an id (the caller's, when it sends a harmless one) that its answer and its logs carry."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = begin_request(header_of(scope, b"x-request-id"))
        scope.setdefault("state", {})
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        headers = {"traceparent": header_of(scope, b"traceparent"), "tracestate": header_of(scope, b"tracestate")}
        started = time.perf_counter()
        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            _tracer.start_as_current_span(
                scope["method"], context=trace_context_of(headers), kind=trace.SpanKind.SERVER
            ) as span,
        ):
            try:
                await self._app(scope, receive, send_with_id)
            except Exception as error:
                logger.exception("request failed", method=scope["method"], path=scope["path"])
                if status:
                    raise
                await send_problem(send_with_id, error)
            finally:
                route = str(scope.get("path_template") or "")
                attributes = {
                    "http.request.method": scope["method"],
                    "http.route": route,
                    "http.response.status_code": status,
                }
                span.update_name(f"{scope['method']} {route}".strip())
                span.set_attributes(attributes)
                _durations.record(time.perf_counter() - started, attributes)
