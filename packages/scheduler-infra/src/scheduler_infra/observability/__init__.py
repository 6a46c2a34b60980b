"""Logs, traces and metrics of a process; nothing is set up by importing this."""

from scheduler_infra.observability.observability_config import ObservabilityConfig
from scheduler_infra.observability.observability_setup import Observability, change_logging, set_up_observability
from scheduler_infra.observability.trace_propagation import continued_span, current_traceparent

__all__ = [
    "Observability",
    "ObservabilityConfig",
    "change_logging",
    "continued_span",
    "current_traceparent",
    "set_up_observability",
]
