"""Settings of logs, traces and metrics."""

from typing import Annotated, ClassVar, Literal

import msgspec

from scheduler_core.config import ConfigSection, setting

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class ObservabilityConfig(ConfigSection):
    """What a process says about itself, and to whom."""

    section: ClassVar[str] = "observability"

    log_level: LogLevel = setting("INFO", "The least severe log lines that are written, to stderr.", live=True)
    log_format: Literal["auto", "json", "console"] = setting(
        "auto",
        "json writes one object a line, console text for people; auto is console on a terminal, else json.",
        live=True,
    )
    service_name: str = setting(
        "", "The service.name of exported traces and metrics; empty means scheduler-api, scheduler-worker and so on."
    )
    tracing_enabled: bool = setting(False, "Whether spans are recorded and sent to otlp_endpoint.")
    trace_sample_ratio: Annotated[float, msgspec.Meta(ge=0, le=1)] = setting(
        1.0, "The share of new traces that are recorded; a trace that was begun elsewhere is followed as it came."
    )
    otlp_metrics_enabled: bool = setting(False, "Whether metrics are sent to otlp_endpoint.")
    otlp_endpoint: str = setting(
        "", "Where traces and metrics go over OTLP/HTTP: the collector's address, such as http://127.0.0.1:4318."
    )
    otlp_headers: dict[str, str] = setting({}, "Headers sent with each export, such as an API key.", secret=True)
    otlp_timeout_seconds: Annotated[float, msgspec.Meta(ge=0.1, le=60)] = setting(
        5.0, "How long one export may take, and the last one when the process ends."
    )
    metrics_interval_seconds: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = setting(
        60.0, "How often metrics are sent to otlp_endpoint."
    )
    prometheus_enabled: bool = setting(False, "Whether /metrics shows this process's metrics in Prometheus format.")

    def problems(self) -> list[str]:
        """Exports without an address to go to."""
        scheme = self.otlp_endpoint.partition("://")[0].lower()
        if self.otlp_endpoint and scheme not in ("http", "https"):
            expected = "must begin with http:// or https:// and name the OTLP/HTTP port of a collector"
            return [f"otlp_endpoint {expected}, such as http://127.0.0.1:4318."]
        return [
            f"{key} is true, but otlp_endpoint is empty: set it to the address of a collector, such as "
            f"http://127.0.0.1:4318, or {key} to false."
            for key in ("tracing_enabled", "otlp_metrics_enabled")
            if getattr(self, key) and not self.otlp_endpoint
        ]
