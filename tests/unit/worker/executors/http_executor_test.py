"""HTTP calls against a real server on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fixtures.worker import CollectedOutput, make_context
from scheduler_core.interfaces import RunOutcome
from scheduler_core.models import TaskRunStatus
from scheduler_worker.executors.http_executor import HttpExecutor


class Server:
    """Answers by path, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request on one connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((int(line[15:]) for line in head.lower().splitlines() if line.startswith("content-length:")), 0)
        body = (await reader.readexactly(length)).decode()
        self.requests.append(head + body)
        path = head.split(" ")[1]
        if path == "/silent":
            await reader.read()
        else:
            status, kind, content = {
                "/json": ("200 OK", "application/json", b'{"a": 1}'),
                "/error": ("500 Internal Server Error", "text/plain", b"broken"),
                "/moved": ("302 Found", "text/plain", b""),
                "/large": ("200 OK", "text/plain", b"x" * 5000),
                "/deep": ("200 OK", "application/json", b"[" * 20_000 + b"]" * 20_000),
                "/bad-json": ("200 OK", "application/json", b"{oops"),
            }[path]
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n"
                f"Set-Cookie: secret=1\r\nConnection: close\r\n\r\n".encode()
                + content
            )
            await writer.drain()
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A listening server."""
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield made


@pytest.fixture
async def executor() -> AsyncIterator[HttpExecutor]:
    """An executor that keeps a thousand bytes."""
    executor = HttpExecutor(body_limit_bytes=1000)
    yield executor
    await executor.close()


async def call(executor: HttpExecutor, timeout_seconds: float = 20.0, **parameters: Any) -> RunOutcome:
    """Carry out one call."""
    assert executor.check(parameters) == []
    return await executor.execute(parameters, make_context(timeout_seconds=timeout_seconds), CollectedOutput())


async def test_execute_keeps_status_headers_and_body(executor: HttpExecutor, server: Server) -> None:
    """A 200 is COMPLETED; the result has the parsed body and harmless headers only."""
    outcome = await call(executor, url=f"{server.url}/json")

    assert outcome.status is TaskRunStatus.COMPLETED
    assert outcome.result == {
        "status": 200,
        "headers": {"content-type": "application/json", "content-length": "8"},
        "body": {"a": 1},
    }
    assert "traceparent: 00-0af7651916cd43dd8448eb211c80319c" in server.requests[0].lower()


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/error", "The response was 500 Internal Server Error; expected was 200 to 299."),
        ("/moved", "The response was 302 Found; expected was 200 to 299."),
    ],
)
async def test_execute_fails_on_an_unexpected_status(
    path: str, error: str, executor: HttpExecutor, server: Server
) -> None:
    """A 500 or a redirect is FAILED, and what was answered is kept (D9)."""
    outcome = await call(executor, url=server.url + path)

    assert (outcome.status, outcome.error) == (TaskRunStatus.FAILED, error)
    assert outcome.result["status"] in (302, 500)


@pytest.mark.parametrize("expected", [500, [404, 500]])
async def test_execute_expects_what_it_is_told(expected: object, executor: HttpExecutor, server: Server) -> None:
    """The expected statuses decide, whatever they are."""
    assert (await call(executor, url=f"{server.url}/error", expected_status=expected)).status is TaskRunStatus.COMPLETED
    assert (await call(executor, url=f"{server.url}/json", expected_status=expected)).status is TaskRunStatus.FAILED


@pytest.mark.parametrize(("body", "kind"), [({"x": [1]}, "application/json"), ("plain", "")])
async def test_execute_sends_json_or_text(body: object, kind: str, executor: HttpExecutor, server: Server) -> None:
    """An object is sent as JSON, a string as it is; headers are sent too."""
    await call(executor, method="post", url=f"{server.url}/json", headers={"X-Mine": "yes"}, body=body)

    head, _, sent = server.requests[0].partition("\r\n\r\n")
    assert (json.loads(sent) if kind else sent) == body
    assert head.startswith("POST /json ")
    assert "x-mine: yes" in head.lower()
    assert (f"content-type: {kind}" in head.lower()) == bool(kind)


async def test_execute_cuts_large_bodies(executor: HttpExecutor, server: Server) -> None:
    """No more of the body is kept than the limit, and the result says so."""
    outcome = await call(executor, url=f"{server.url}/large")

    assert (len(outcome.result["body"]), outcome.result["is_truncated"]) == (1000, True)


async def test_execute_keeps_broken_json_as_text(executor: HttpExecutor, server: Server) -> None:
    """A body that only claims to be JSON is kept as text."""
    assert (await call(executor, url=f"{server.url}/bad-json")).result["body"] == "{oops"


async def test_execute_ends_at_its_timeout(executor: HttpExecutor, server: Server) -> None:
    """A server that does not answer makes the run TIMEOUT (D10)."""
    outcome = await call(executor, url=f"{server.url}/silent", timeout_seconds=1.0)

    assert (outcome.status, outcome.error) == (TaskRunStatus.TIMEOUT, "There was no whole response within 1 s.")


async def test_execute_names_what_cannot_be_reached(executor: HttpExecutor) -> None:
    """A server that is not there is FAILED with the address, without the password in it."""
    outcome = await call(executor, url="http://user:hunter2@127.0.0.1:1/path?token=hunter2")

    assert outcome.status is TaskRunStatus.FAILED
    assert str(outcome.error).startswith("GET http://127.0.0.1:1/path failed with ConnectError")
    assert "hunter2" not in str(outcome.error)


async def test_execute_keeps_json_that_is_too_deep_as_text(server: Server) -> None:
    """A response whose JSON is nested beyond reading is a good response all the same."""
    executor = HttpExecutor()
    try:
        outcome = await call(executor, url=f"{server.url}/deep")
    finally:
        await executor.close()

    assert outcome.status is TaskRunStatus.COMPLETED
    assert outcome.result["body"].startswith("[[[[")
