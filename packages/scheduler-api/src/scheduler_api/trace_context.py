"""W3C trace context: in by header, out in run rows, so that a worker's span has the request's as its parent."""

from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()


def trace_context_of(headers: Mapping[str, str]) -> Context:
    """The caller's context from its traceparent and tracestate headers; an empty one when there is none."""
    return _PROPAGATOR.extract(headers, Context())


def current_trace_context() -> str | None:
    """The traceparent of the span that is current here; None without one."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")
