"""Observability is shared by a process and costs nothing until it is configured."""

import logging
import subprocess
import sys

import pytest

from scheduler_core.config import Settings
from scheduler_infra.observability import ObservabilityConfig, change_logging, set_up_observability


def test_set_up_observability_twice_keeps_logging_until_the_last_is_left() -> None:
    """Components of one process share its logging; the first to stop does not silence the others."""
    root = logging.getLogger()
    before = root.handlers[:]
    with set_up_observability(ObservabilityConfig(), "api"):
        with set_up_observability(ObservabilityConfig(), "worker"):
            shared = root.handlers[:]
            assert shared != before
        assert root.handlers == shared
    assert root.handlers == before


def test_change_logging_is_for_the_whole_process_and_needs_one_that_is_set_up() -> None:
    """Whichever component passes it on; before and after there is nothing to change."""
    root = logging.getLogger()
    before = root.level
    change_logging(ObservabilityConfig(log_level="ERROR"))
    assert root.level == before
    with set_up_observability(ObservabilityConfig(), "api"), set_up_observability(ObservabilityConfig(), "worker"):
        change_logging(ObservabilityConfig(log_level="ERROR"))
        assert root.level == logging.ERROR
    change_logging(ObservabilityConfig(log_level="ERROR"))
    assert root.level == before


def test_metrics_text_says_how_to_switch_it_on() -> None:
    """Without Prometheus the text is valid, empty, and tells what to set."""
    with set_up_observability(ObservabilityConfig(), "api") as observability:
        text = observability.metrics_text()
    assert text.startswith("# ")
    assert "observability.prometheus_enabled" in text


def test_set_up_observability_imports_no_sdk_unless_configured() -> None:
    """A worker without telemetry does not load the SDK, an exporter, or a driver."""
    program = (
        "import sys; from scheduler_infra.observability import *\n"
        "with set_up_observability(ObservabilityConfig(), 'worker') as o: o.metrics_text()\n"
        "heavy = ('opentelemetry.sdk', 'opentelemetry.exporter', 'prometheus_client', 'requests', 'kombu', 'psycopg')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (ObservabilityConfig(tracing_enabled=True), "tracing_enabled"),
        (ObservabilityConfig(otlp_metrics_enabled=True), "otlp_metrics_enabled"),
        (ObservabilityConfig(otlp_endpoint="127.0.0.1:4318"), "otlp_endpoint"),
        (ObservabilityConfig(otlp_endpoint="grpc://127.0.0.1:4317"), "otlp_endpoint"),
    ],
)
def test_problems_name_an_export_that_cannot_work(config: ObservabilityConfig, key: str) -> None:
    """An export without a usable address is refused with the key and a remedy."""
    (problem,) = config.problems()
    assert problem.startswith(key)
    assert "http://127.0.0.1:4318" in problem


def test_problems_are_none_by_default() -> None:
    """The defaults work, and so does a full configuration."""
    assert Settings.of().section(ObservabilityConfig).problems() == []
    assert ObservabilityConfig(tracing_enabled=True, otlp_endpoint="https://collector/otlp").problems() == []
