"""HTTP calls against a real server on loopback."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from fixtures.http_target import HttpTarget, running_target
from fixtures.worker import CollectedOutput, eventually, make_context
from scheduler_core.config import Settings
from scheduler_core.decisions.egress_rules import EgressPolicy
from scheduler_core.decisions.retry_rules import is_retried
from scheduler_core.errors import ConfigError
from scheduler_core.interfaces import RunOutcome
from scheduler_core.models import RetryPolicy, TaskRunStatus
from scheduler_worker.containment import supervision
from scheduler_worker.executors.http_executor import HttpExecutor
from scheduler_worker.worker_config import WorkerConfig
from scheduler_worker.worker_error import LeaseEndedError

LOOPBACK = EgressPolicy.of([], ["127.0.0.0/8"])


@pytest.fixture
async def server() -> AsyncIterator[HttpTarget]:
    """A listening server."""
    async with running_target() as target:
        yield target


@pytest.fixture
async def executor() -> AsyncIterator[HttpExecutor]:
    """An executor that keeps a thousand bytes, and may call loopback."""
    executor = HttpExecutor(LOOPBACK, body_limit_bytes=1000)
    yield executor
    await executor.close()


async def call(executor: HttpExecutor, **parameters: Any) -> RunOutcome:
    """Carry out one call."""
    assert executor.check(parameters) == []
    return await executor.execute(parameters, make_context(), CollectedOutput())


async def test_execute_keeps_status_headers_and_body(executor: HttpExecutor, server: HttpTarget) -> None:
    """A 200 is COMPLETED; the result has the parsed body and harmless headers only."""
    outcome = await call(executor, url=f"{server.url}/json")

    assert outcome.status is TaskRunStatus.COMPLETED
    assert outcome.result == {
        "status": 200,
        "headers": {"content-type": "application/json", "content-length": "8"},
        "body": {"a": 1},
    }
    assert "traceparent: 00-0af7651916cd43dd8448eb211c80319c" in server.requests[0].lower()


async def test_worker_unit_http_calls_nobody_after_the_lease(executor: HttpExecutor, server: HttpTarget) -> None:
    """A worker that stood still while it made its connections ready does not begin to call when it goes on."""
    supervision.hold()
    try:
        supervision.lease_extended(time.monotonic() - 0.001)
        with pytest.raises(LeaseEndedError):
            await call(executor, url=f"{server.url}/json")
    finally:
        supervision.release()
    assert server.requests == []
    assert (await call(executor, url=f"{server.url}/json")).status is TaskRunStatus.COMPLETED


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/error", "The response was 500 Internal Server Error; expected was 200 to 299."),
        ("/moved", "The response was 302 Found; expected was 200 to 299."),
    ],
)
async def test_execute_fails_on_an_unexpected_status(
    path: str, error: str, executor: HttpExecutor, server: HttpTarget
) -> None:
    """A 500 or a redirect is FAILED, and what was answered is kept (D9)."""
    outcome = await call(executor, url=server.url + path)

    assert (outcome.status, outcome.error) == (TaskRunStatus.FAILED, error)
    assert outcome.result["status"] in (302, 500)


@pytest.mark.parametrize("expected", [500, [404, 500]])
async def test_execute_expects_what_it_is_told(expected: object, executor: HttpExecutor, server: HttpTarget) -> None:
    """The expected statuses decide, whatever they are."""
    assert (await call(executor, url=f"{server.url}/error", expected_status=expected)).status is TaskRunStatus.COMPLETED
    assert (await call(executor, url=f"{server.url}/json", expected_status=expected)).status is TaskRunStatus.FAILED


@pytest.mark.parametrize(("body", "kind"), [({"x": [1]}, "application/json"), ("plain", "")])
async def test_execute_sends_json_or_text(body: object, kind: str, executor: HttpExecutor, server: HttpTarget) -> None:
    """An object is sent as JSON, a string as it is; headers are sent too."""
    await call(executor, method="post", url=f"{server.url}/json", headers={"X-Mine": "yes"}, body=body)

    head, _, sent = server.requests[0].partition("\r\n\r\n")
    assert (json.loads(sent) if kind else sent) == body
    assert head.startswith("POST /json ")
    assert "x-mine: yes" in head.lower()
    assert (f"content-type: {kind}" in head.lower()) == bool(kind)


async def test_execute_cuts_large_bodies(executor: HttpExecutor, server: HttpTarget) -> None:
    """No more of the body is kept than the limit, and the result says so."""
    outcome = await call(executor, url=f"{server.url}/large")

    assert (len(outcome.result["body"]), outcome.result["is_truncated"]) == (1000, True)


async def test_execute_keeps_broken_json_as_text(executor: HttpExecutor, server: HttpTarget) -> None:
    """A body that only claims to be JSON is kept as text."""
    assert (await call(executor, url=f"{server.url}/bad-json")).result["body"] == "{oops"


@pytest.mark.parametrize("path", ["/silent", "/drip"])
async def test_worker_unit_http_gives_up_a_server_that_does_not_begin(
    path: str, executor: HttpExecutor, server: HttpTarget
) -> None:
    """A server that does not answer, or begins and goes no further, makes the run TIMEOUT (D10)."""
    outcome = await call(executor, url=server.url + path, first_byte_timeout_seconds=0.2)

    assert outcome.status is TaskRunStatus.TIMEOUT
    assert outcome.error == (
        f"GET {server.url}{path} was given up: no response began within 0.2 s (first_byte_timeout_seconds)."
    )


async def test_worker_unit_http_gives_up_a_name_that_is_not_looked_up_in_time(server: HttpTarget) -> None:
    """The time to connect includes that of the look-up."""
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stuck(_host: str, _port: int) -> list[str]:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(20)
        return ["127.0.0.1"]

    executor = HttpExecutor(LOOPBACK, resolve=stuck)
    outcome = await call(executor, url="http://example.org/", connect_timeout_seconds=0.1)
    release.set()

    assert outcome.status is TaskRunStatus.TIMEOUT
    assert outcome.error == (
        "GET http://example.org/ was given up: there was no connection within 0.1 s (connect_timeout_seconds)."
    )
    await executor.close()


async def test_worker_unit_http_gives_up_a_server_that_does_not_speak_tls(
    executor: HttpExecutor, server: HttpTarget
) -> None:
    """A server that keeps silent after the connection is given up like one that cannot be connected to."""
    url = server.url.replace("http:", "https:")
    outcome = await call(executor, url=url, connect_timeout_seconds=0.2)

    assert outcome.status is TaskRunStatus.TIMEOUT
    assert outcome.error == f"GET {url} was given up: there was no connection within 0.2 s (connect_timeout_seconds)."


async def test_worker_unit_http_closes_the_connection_when_it_is_cancelled(
    executor: HttpExecutor, server: HttpTarget
) -> None:
    """A run that is stopped leaves no connection behind."""
    running = asyncio.ensure_future(call(executor, url=f"{server.url}/silent"))
    await eventually(lambda: len(server.requests) == 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    await eventually(lambda: server.ended == 1)


async def test_worker_unit_http_ends_an_endless_response_at_the_limit(
    executor: HttpExecutor, server: HttpTarget
) -> None:
    """A response that never ends is cut like a large one, and its connection closed."""
    outcome = await call(executor, url=f"{server.url}/endless")

    assert (outcome.status, len(outcome.result["body"])) == (TaskRunStatus.COMPLETED, 1000)
    assert outcome.result["is_truncated"]
    await eventually(lambda: server.ended == 1)


async def test_worker_unit_http_limits_what_is_unpacked(executor: HttpExecutor, server: HttpTarget) -> None:
    """The limit holds for the unpacked body; one that is packed twice is not unpacked at all."""
    once = await call(executor, url=f"{server.url}/bomb")
    twice = await call(executor, url=f"{server.url}/twice")

    assert (once.status, len(once.result["body"]), once.result["is_truncated"]) == (TaskRunStatus.COMPLETED, 1000, True)
    assert (twice.status, twice.error) == (
        TaskRunStatus.FAILED,
        f"GET {server.url}/twice failed: its body is packed more than once (Content-Encoding), and is not unpacked.",
    )


async def test_worker_unit_http_names_what_cannot_be_reached(executor: HttpExecutor) -> None:
    """A server that is not there is FAILED with the address and the reason, without what may be secret."""
    outcome = await call(executor, url="http://127.0.0.1:1/path?token=hunter2", headers={"Authorization": "hunter2"})

    assert outcome.status is TaskRunStatus.FAILED
    assert outcome.error == "GET http://127.0.0.1:1/path failed: Connection refused."
    assert is_retried(RetryPolicy(on_exceptions=("ConnectionError",)), outcome)


async def test_worker_unit_http_names_an_unknown_host(executor: HttpExecutor) -> None:
    """A name without an address is told as such."""
    outcome = await call(executor, url="http://nowhere.invalid/")

    assert outcome.status is TaskRunStatus.FAILED
    assert str(outcome.error).startswith(
        "GET http://nowhere.invalid/ failed: the name nowhere.invalid cannot be looked up: "
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"url": "{server}/json", "body": "x", "headers": {"Content-Length": "hunter2"}},
        {"url": "{server}/json", "method": "POST", "body": "hunter2", "headers": {"content-length": "8"}},
        {"url": "http://hunter2.\N{FULLWIDTH DIGIT ONE}.\ud800/"},
        {"url": "http://127.0.0.1:1/", "headers": {"X-Key": "hunter2\ud800"}},
    ],
)
async def test_worker_unit_http_does_not_show_what_cannot_be_sent(
    parameters: dict[str, Any], executor: HttpExecutor, server: HttpTarget
) -> None:
    """What no request can carry is refused without its value, and for good."""
    outcome = await call(executor, **{**parameters, "url": parameters["url"].replace("{server}", server.url)})

    assert (outcome.status, outcome.retryable) == (TaskRunStatus.FAILED, False)
    assert "was not sent: its address, a header or a length" in str(outcome.error)
    assert "hunter2" not in str(outcome.error).replace("http://hunter2.", "")


async def test_worker_unit_http_sends_headers_of_any_letters(executor: HttpExecutor, server: HttpTarget) -> None:
    """A header's value is sent as UTF-8, without space around it."""
    await call(executor, url=f"{server.url}/json", headers={"X-Name": " Zoë "})

    assert "x-name: zoã«\r\n" in server.requests[0].lower()


async def test_worker_unit_http_keeps_no_cookie(executor: HttpExecutor, server: HttpTarget) -> None:
    """What a server tells one run to remember is not sent by another."""
    await call(executor, url=f"{server.url}/json")
    await call(executor, url=f"{server.url}/json")

    assert [("cookie" in request.lower()) for request in server.requests] == [False, False]


async def test_worker_unit_http_uses_no_proxy_of_the_environment(
    executor: HttpExecutor, server: HttpTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would be asked for what the worker itself must not call."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert (await call(executor, url=f"{server.url}/json")).status is TaskRunStatus.COMPLETED


async def test_worker_unit_http_logs_no_secrets(
    executor: HttpExecutor, server: HttpTarget, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither queries and headers that are sent nor cookies that come back are logged, at any level."""
    caplog.set_level(logging.DEBUG)
    outcome = await call(executor, url=f"{server.url}/json?key=hunter2", headers={"Authorization": "hunter2"})

    assert outcome.status is TaskRunStatus.COMPLETED
    assert "hunter2" not in caplog.text
    assert "secret=1" not in caplog.text


async def test_worker_unit_http_tells_what_retry_conditions_need(executor: HttpExecutor, server: HttpTarget) -> None:
    """The status and the end of the body are there for the retry policy."""
    outcome = await call(executor, url=f"{server.url}/error")

    assert (outcome.http_status, outcome.output_end, outcome.retry_after_seconds) == (500, "broken", None)


@pytest.mark.parametrize(("respect", "seconds"), [(True, 7.0), (False, None)])
async def test_worker_unit_http_respects_retry_after_when_told(
    respect: bool, seconds: float | None, executor: HttpExecutor, server: HttpTarget
) -> None:
    """A server that is busy says when to come back, and is believed where the task says so."""
    outcome = await call(executor, url=f"{server.url}/busy/7", respect_retry_after=respect)

    assert (outcome.status, outcome.retry_after_seconds) == (TaskRunStatus.FAILED, seconds)


async def test_worker_unit_http_extracts_values(executor: HttpExecutor, server: HttpTarget) -> None:
    """Extracted values stand in the place of the body."""
    extract = {"id": "data.items.-1.id", "dotted": ["data", "items", 0, "a.b"], "total": "data.total"}

    outcome = await call(executor, url=f"{server.url}/items", extract=extract)

    assert outcome.status is TaskRunStatus.COMPLETED
    assert outcome.result["extracted"] == {"id": 7, "dotted": "x", "total": None}
    assert "body" not in outcome.result


@pytest.mark.parametrize(
    ("path", "extract", "error"),
    [
        (
            "/items",
            {"id": "data.items.1.id"},
            "'id' cannot be extracted from the response: there is no position 1 in 'data.items', a list of 1.",
        ),
        ("/large", {"id": "a"}, "Nothing can be extracted: the body of the response is larger than the worker keeps"),
        ("/bad-json", {"id": "a"}, "Nothing can be extracted: the response is no JSON object or list"),
    ],
)
async def test_worker_unit_http_fails_when_nothing_can_be_extracted(
    path: str, extract: dict[str, Any], error: str, executor: HttpExecutor, server: HttpTarget
) -> None:
    """A response without the values is FAILED with the place where the path ends; its body is kept."""
    outcome = await call(executor, url=server.url + path, extract=extract)

    assert outcome.status is TaskRunStatus.FAILED
    assert str(outcome.error).startswith(error)
    assert "body" in outcome.result


async def test_execute_keeps_json_that_is_too_deep_as_text(server: HttpTarget) -> None:
    """A response whose JSON is nested beyond reading is a good response all the same."""
    executor = HttpExecutor(LOOPBACK)
    try:
        outcome = await call(executor, url=f"{server.url}/deep")
    finally:
        await executor.close()

    assert outcome.status is TaskRunStatus.COMPLETED
    assert outcome.result["body"].startswith("[[[[")


def test_worker_unit_http_is_made_from_settings(tmp_path: Path) -> None:
    """A file of authorities that cannot be read keeps a worker from taking http tasks."""
    for name, refused in (("ca.pem", False), ("absent.pem", True)):
        (tmp_path / "ca.pem").touch()
        settings = Settings.of(WorkerConfig(http_ca_file=str(tmp_path / name)), state_dir=tmp_path)
        with pytest.raises(ConfigError, match=r"absent\.pem', which cannot be read") if refused else nullcontext():
            HttpExecutor.from_settings(settings)


async def test_worker_unit_http_fails_when_authorities_are_none(tmp_path: Path) -> None:
    """A file without certificates fails the run with the setting's name, and no call is made without it."""
    (tmp_path / "ca.pem").write_text("nothing")
    executor = HttpExecutor(LOOPBACK, ca_file=str(tmp_path / "ca.pem"))

    outcome = await call(executor, url="https://127.0.0.1:1/")

    assert (outcome.status, outcome.retryable) == (TaskRunStatus.FAILED, False)
    assert str(outcome.error).startswith("The certificates of worker.http_ca_file cannot be used: ")
