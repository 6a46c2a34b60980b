"""Trace context travels through rows."""

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider  # noqa: TID251 - stands for the configured SDK

from scheduler_infra.observability import trace_propagation
from scheduler_infra.observability.trace_propagation import continued_span, current_traceparent


@pytest.fixture
def tracer(monkeypatch: pytest.MonkeyPatch) -> trace.Tracer:
    """A recording tracer in place of the API's own."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    monkeypatch.setattr(trace_propagation, "_tracer", tracer)
    return tracer


def test_current_traceparent_is_none_without_a_span() -> None:
    """Nothing is stored when nobody traces."""
    assert current_traceparent() is None


def test_continued_span_is_a_no_op_without_an_sdk() -> None:
    """With tracing off a stored context is carried on, nothing is recorded, and work goes on."""
    stored = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with continued_span("execute", stored) as span:
        assert not span.is_recording()
        assert current_traceparent() == stored
    with continued_span("execute", None) as span:
        assert not span.is_recording()


def test_continued_span_is_the_child_of_the_stored_one(tracer: trace.Tracer) -> None:
    """What is injected in one place is the parent in another, whatever is current there."""
    with tracer.start_as_current_span("trigger") as parent:
        stored = current_traceparent()
    assert stored is not None
    assert len(stored) == 55
    with tracer.start_as_current_span("claim"):
        with continued_span("execute", stored, {"scheduler.run_id": 7}) as child:
            assert child.get_span_context().trace_id == parent.get_span_context().trace_id
            assert child.parent.span_id == parent.get_span_context().span_id  # type: ignore[attr-defined]
            assert child.attributes == {"scheduler.run_id": 7}  # type: ignore[attr-defined]


@pytest.mark.parametrize("garbage", [None, "", "garbage", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "x" * 10_000])
def test_continued_span_begins_a_trace_when_there_is_none(tracer: trace.Tracer, garbage: str | None) -> None:
    """A missing or broken context costs the link, not the span."""
    with tracer.start_as_current_span("claim") as claiming:
        with continued_span("execute", garbage) as span:
            assert span.parent is None  # type: ignore[attr-defined]
            assert span.get_span_context().trace_id != claiming.get_span_context().trace_id


def test_continued_span_records_an_exception_and_lets_it_pass(tracer: trace.Tracer) -> None:
    """The error of the work inside is seen on the span and by the caller."""
    with pytest.raises(ValueError, match="broken"):
        with continued_span("execute", None) as span:
            raise ValueError("broken")
    assert [event.name for event in span.events] == ["exception"]  # type: ignore[attr-defined]
