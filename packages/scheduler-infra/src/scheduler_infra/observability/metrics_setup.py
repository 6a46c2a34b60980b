"""Metrics for Prometheus and over OTLP/HTTP; imported only when either is configured."""

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource

from scheduler_infra.observability.observability_config import ObservabilityConfig


class MetricsExport:
    """The process's meter provider, set as the global one, with the readers that are configured."""

    def __init__(self, config: ObservabilityConfig, resource: Resource) -> None:
        from prometheus_client import CollectorRegistry

        # Not the library's global registry: that one holds metrics of other libraries and outlives us.
        self._registry = CollectorRegistry()
        readers: list[MetricReader] = []
        if config.prometheus_enabled:
            from opentelemetry.exporter.prometheus import PrometheusMetricReader

            readers.append(PrometheusMetricReader(registry=self._registry, scope_info_enabled=False))
        if config.otlp_metrics_enabled:
            readers.append(_otlp_reader(config))
        self._provider = MeterProvider(metric_readers=readers, resource=resource, shutdown_on_exit=False)
        metrics.set_meter_provider(self._provider)

    def text(self) -> str:
        """Every metric of the process in Prometheus' text format."""
        from prometheus_client import generate_latest

        return generate_latest(self._registry).decode()

    def shut_down(self, timeout_seconds: float) -> None:
        """Send what is left, within the time."""
        self._provider.shutdown(timeout_millis=timeout_seconds * 1000)


def _otlp_reader(config: ObservabilityConfig) -> MetricReader:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    return PeriodicExportingMetricReader(
        OTLPMetricExporter(
            endpoint=f"{config.otlp_endpoint.rstrip('/')}/v1/metrics",
            headers=config.otlp_headers,
            timeout=config.otlp_timeout_seconds,
        ),
        export_interval_millis=config.metrics_interval_seconds * 1000,
        export_timeout_millis=config.otlp_timeout_seconds * 1000,
    )
