"""RabbitMQ restarted, purged, stopped, frozen and lied to under load, with processes: runs start once, and soon."""

from typing import Any

import pytest

from benchmarks.message_queue_outages import Outages
from fixtures.broker import RabbitMQServer
from fixtures.job_lines import JobLine
from fixtures.site import Site

RETURN_SECONDS_MAX = 15.0
FORGED = 350


@pytest.mark.timeout(180)
def test_outages_of_rabbitmq_lose_no_run_and_start_none_twice(
    site: Site, amqp_url: str, rabbitmq_server: RabbitMQServer
) -> None:
    """Every run that was triggered meanwhile has written one line; the outage is told, and ends by itself."""
    outages = Outages(site, rabbitmq_server)
    outages.start(dispatchers=1)
    try:
        outages.restart()
        outages.purge()
        outages.stop(5, lambda: _assert_told(site))
        outages.freeze(5, lambda: _assert_degraded(site))
    finally:
        outages.settle()
    figures = outages.figures()
    assert (figures["lost"], figures["started_twice"]) == (0, 0), figures
    assert figures["first_claim_after_return_seconds_max"] < RETURN_SECONDS_MAX, figures
    assert sorted(site.lines.read()) == sorted(JobLine(run_id, 1) for run_id in outages.load.runs)
    assert _readiness(site)["status"] == "ok"

    outages.forge(FORGED)
    last = site.trigger("line")
    site.processes.wait_for_run(last, seconds=30)
    assert site.lines.starts().keys() == {*outages.load.runs, last}
    for process in site.processes.started:
        assert process.is_running
        assert "session lost" not in process.output


def _assert_degraded(site: Site) -> None:
    """The API serves, and says by name what is wrong."""
    readiness = _readiness(site)
    part = readiness["parts"]["message_queue"]
    assert (readiness["status"], part["status"]) == ("degraded", "degraded")
    assert "RabbitMQ at 127.0.0.1" in part["detail"]
    assert site.processes.request("GET", "/health/live").status == 200


def _assert_told(site: Site) -> None:
    """The doctor says it, too."""
    _assert_degraded(site)
    doctor = site.processes.run("doctor", "-o", "json")
    assert "RabbitMQ at 127.0.0.1" in doctor.stdout, doctor


def _readiness(site: Site) -> dict[str, Any]:
    answer = site.processes.request("GET", "/health/ready")
    assert answer.status == 200
    body: dict[str, Any] = answer.body
    return body
