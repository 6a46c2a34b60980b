"""One observability for each process, however many components share it."""

import contextlib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from scheduler_infra.observability.observability_config import ObservabilityConfig

if TYPE_CHECKING:
    from scheduler_infra.observability.metrics_setup import MetricsExport
    from scheduler_infra.observability.tracing_setup import TraceExport

PROMETHEUS_IS_OFF = "# Prometheus export is off: set observability.prometheus_enabled = true.\n"


class _Process:
    """What is set up in this process: begun by the first component, ended after the last."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.logging = contextlib.ExitStack()
        self.change_logging: Callable[[ObservabilityConfig], None] | None = None
        self.tracing: TraceExport | None = None
        self.metrics: MetricsExport | None = None
        self.timeout_seconds = 0.0

    def begin(self, config: ObservabilityConfig, component: str) -> None:
        from scheduler_infra.observability.logging_setup import logging_set_up

        self.change_logging = self.logging.enter_context(logging_set_up(config, component))
        self.timeout_seconds = config.otlp_timeout_seconds
        has_metrics = config.prometheus_enabled or config.otlp_metrics_enabled
        if not (config.tracing_enabled or has_metrics):
            return
        from scheduler_infra.observability.resource import process_resource

        resource = process_resource(config, component)
        if config.tracing_enabled:
            from scheduler_infra.observability.tracing_setup import TraceExport

            self.tracing = TraceExport(config, resource)
        if has_metrics:
            from scheduler_infra.observability.metrics_setup import MetricsExport

            self.metrics = MetricsExport(config, resource)

    def end(self) -> None:
        if self.tracing is not None:
            self.tracing.shut_down(self.timeout_seconds)
        if self.metrics is not None:
            self.metrics.shut_down(self.timeout_seconds)
        self.tracing = self.metrics = self.change_logging = None
        self.logging.close()


_process = _Process()


class Observability:
    """A component's hold on the logs, traces and metrics of its process; made by `set_up_observability`."""

    def __init__(self, config: ObservabilityConfig, component: str) -> None:
        self._config = config
        self._component = component

    def __enter__(self) -> Self:
        with _process.lock:
            if _process.users == 0:
                _process.begin(self._config, self._component)
            _process.users += 1
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with _process.lock:
            _process.users -= 1
            if _process.users == 0:
                _process.end()

    def metrics_text(self) -> str:
        """The metrics of this process in Prometheus' text format; only a comment when that export is off."""
        metrics = _process.metrics
        if metrics is None or not self._config.prometheus_enabled:
            return PROMETHEUS_IS_OFF
        return metrics.text()


def set_up_observability(config: ObservabilityConfig, component: str) -> Observability:
    """A context manager: logging, and whatever else is configured, while it is entered; sends the rest at the end.

    Components of one process share what the first of them set up, under that one's name. To be entered after a
    fork, never before, and outside a running request: leaving it may take `otlp_timeout_seconds`.
    """
    return Observability(config, component)


def change_logging(config: ObservabilityConfig) -> None:
    """Take over level and format of the log lines; does nothing in a process that has not set up observability."""
    with _process.lock:
        if _process.change_logging is not None:
            _process.change_logging(config)
