"""Traces and metrics leave the process in the formats others read; each case in a process of its own."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families


class OtlpReceiver(ThreadingHTTPServer):
    """Takes OTLP/HTTP exports and keeps them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: OtlpReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append((self.path, headers, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A collector that listens."""
    with OtlpReceiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a fresh process."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


_TRACING = """
import json, logging, sys
from opentelemetry import trace
from scheduler_infra.observability import *

tracer = trace.get_tracer("scheduler_api")  # made before the set-up, as modules do
config = ObservabilityConfig(
    tracing_enabled=True, otlp_endpoint=sys.argv[1], otlp_headers={"x-key": "k"}, otlp_timeout_seconds=1,
    trace_sample_ratio=float(sys.argv[2]),
)
with set_up_observability(config, "api"):
    with tracer.start_as_current_span("trigger"):
        stored = current_traceparent()
        logging.getLogger("x").warning("inside")
    with continued_span("execute", stored, {"scheduler.run_id": 7}):
        pass
print(json.dumps(stored))
"""


def test_observability_integration_spans_reach_a_collector(receiver: OtlpReceiver) -> None:
    """A span and its child across a stored traceparent arrive over OTLP/HTTP before the process ends."""
    done = run(_TRACING, receiver.url, "1.0")
    ((path, headers, body),) = receiver.received
    assert (path, headers["x-key"]) == ("/v1/traces", "k")
    (group,) = ExportTraceServiceRequest.FromString(body).resource_spans
    names = {attribute.key: attribute.value.string_value for attribute in group.resource.attributes}
    assert names["service.name"] == "scheduler-api"
    spans = {span.name: span for scope in group.scope_spans for span in scope.spans}
    assert spans["execute"].parent_span_id == spans["trigger"].span_id
    assert spans["execute"].trace_id == spans["trigger"].trace_id
    version, trace_id, span_id, flags = json.loads(done.stdout).split("-")
    assert (version, trace_id, span_id) == ("00", spans["trigger"].trace_id.hex(), spans["trigger"].span_id.hex())
    assert int(flags, 16) & 1 == 1
    (line,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert line["trace_id"] == spans["trigger"].trace_id.hex()
    assert line["span_id"] == spans["trigger"].span_id.hex()


def test_observability_integration_sample_ratio_of_zero_exports_nothing(receiver: OtlpReceiver) -> None:
    """The setting trace_sample_ratio keeps unsampled traces in the process, with their context still carried."""
    done = run(_TRACING, receiver.url, "0.0")
    assert receiver.received == []
    assert int(json.loads(done.stdout).rpartition("-")[2], 16) & 1 == 0


def test_observability_integration_missing_collector_does_not_hold_the_process() -> None:
    """A collector that does not answer costs the spans and at most a few seconds at the end."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler, bind_and_activate=True) as silent:
        # Bound and listening, but nobody accepts: connections are made and never answered.
        started = time.monotonic()
        run(_TRACING, f"http://127.0.0.1:{silent.server_address[1]}", "1.0")
        assert time.monotonic() - started < 10


_METRICS = """
import sys
from opentelemetry import metrics
from scheduler_infra.observability import *

counter = metrics.get_meter("scheduler_worker").create_counter("scheduler_runs_finished", description="Finished runs.")
seconds = metrics.get_meter("scheduler_worker").create_histogram(
    "scheduler_run_duration", unit="s", explicit_bucket_boundaries_advisory=[0.1, 1, 10]
)
config = ObservabilityConfig(
    prometheus_enabled=True, otlp_metrics_enabled=bool(sys.argv[1]), otlp_endpoint=sys.argv[1], service_name="mine"
)
with set_up_observability(config, "worker") as observability:
    counter.add(2, {"outcome": "COMPLETED"})
    counter.add(1, {"outcome": 'odd "label"\\n'})
    seconds.record(0.5)
    print(observability.metrics_text())
    print(observability.metrics_text(), file=open("/dev/null", "w"))
"""


def test_observability_integration_metrics_are_prometheus_text() -> None:
    """What was recorded through the API reads as Prometheus text, with its names, labels, units and buckets."""
    families = {family.name: family for family in text_string_to_metric_families(run(_METRICS, "").stdout)}
    finished = families["scheduler_runs_finished"]
    assert finished.type == "counter"
    assert {(sample.labels["outcome"], sample.value) for sample in finished.samples} == {
        ("COMPLETED", 2.0),
        ('odd "label"\n', 1.0),
    }
    buckets = {
        float(sample.labels["le"]): sample.value
        for sample in families["scheduler_run_duration_seconds"].samples
        if sample.name.endswith("_bucket")
    }
    assert buckets == {0.1: 0.0, 1.0: 1.0, 10.0: 1.0, float("inf"): 1.0}
    assert families["target_info"].samples[0].labels["service_name"] == "mine"


def test_observability_integration_metrics_reach_a_collector(receiver: OtlpReceiver) -> None:
    """Metrics are sent over OTLP/HTTP, the last ones when the process ends."""
    run(_METRICS, receiver.url)
    path, _, body = receiver.received[-1]
    assert path == "/v1/metrics"
    (group,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    names = {metric.name for scope in group.scope_metrics for metric in scope.metrics}
    assert {"scheduler_runs_finished", "scheduler_run_duration"} <= names
