"""Trace context in the rows of runs, so that a worker's span continues the trace of the request that made the run.

Only the OpenTelemetry API is used: without an SDK there is no context to carry and nothing is recorded.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

_FIELD = "traceparent"
_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("scheduler_infra")


def current_traceparent() -> str | None:
    """The current span as a W3C `traceparent` of 55 characters; None when there is no span."""
    if not trace.get_current_span().get_span_context().is_valid:
        return None
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get(_FIELD)


@contextmanager
def continued_span(
    name: str,
    traceparent: str | None,
    attributes: Mapping[str, AttributeValue] | None = None,
    *,
    kind: SpanKind = SpanKind.CONSUMER,
) -> Iterator[Span]:
    """A span that is the child of a stored `traceparent`; of nobody when there is none or it is garbage.

    The current context plays no part, because it belongs to whoever happened to take the run. An exception is
    recorded on the span and passes through.
    """
    parent = _propagator.extract({_FIELD: traceparent} if traceparent else {}, context=Context())
    with _tracer.start_as_current_span(name, context=parent, kind=kind, attributes=attributes) as span:
        yield span
