"""Spans over OTLP/HTTP; imported only when tracing is configured."""

import threading

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from scheduler_infra.observability.observability_config import ObservabilityConfig

_DELAY_MILLISECONDS = 2000


class TraceExport:
    """The process's tracer provider, set as the global one, whose spans are sent in batches."""

    def __init__(self, config: ObservabilityConfig, resource: Resource) -> None:
        self._exporter = OTLPSpanExporter(
            endpoint=f"{config.otlp_endpoint.rstrip('/')}/v1/traces",
            headers=config.otlp_headers,
            timeout=config.otlp_timeout_seconds,
        )
        self._provider = TracerProvider(
            resource=resource, sampler=ParentBased(TraceIdRatioBased(config.trace_sample_ratio)), shutdown_on_exit=False
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._exporter,
                schedule_delay_millis=_DELAY_MILLISECONDS,
                export_timeout_millis=config.otlp_timeout_seconds * 1000,
            )
        )
        trace.set_tracer_provider(self._provider)

    def shut_down(self, timeout_seconds: float) -> None:
        """Send what is left, within about the time."""
        # The provider would try batch after batch for 30 seconds; an exporter that is shut down fails at once.
        limit = threading.Timer(timeout_seconds, self._exporter.shutdown)
        limit.daemon = True
        limit.start()
        try:
            self._provider.shutdown()
        finally:
            limit.cancel()
