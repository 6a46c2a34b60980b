"""HTTP calls."""

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from scheduler_core.config import Settings
from scheduler_core.interfaces import RunContext, RunOutcome, RunOutput, TaskExecutor
from scheduler_core.models import TaskRunStatus
from scheduler_worker.executors.parameter_check import parameter_problems
from scheduler_worker.own_thread import in_own_thread
from scheduler_worker.worker_config import WorkerConfig

if TYPE_CHECKING:
    import httpx2

_CONNECT_SECONDS = 10.0
_KEPT_HEADERS = ("content-type", "content-length", "date", "etag", "last-modified", "location", "retry-after")
_KEPT_HEADER_PREFIX = "x-request-id"


class HttpExecutor(TaskExecutor):
    """Sends one request; the status decides: 200 to 299, or those of `expected_status`.

    The result is {"status", "headers", "body"}: some headers, and the body as JSON where it is, else as text, cut at
    `body_limit_bytes`. Redirects are not followed, proxies of the environment are not used.
    """

    def __init__(self, body_limit_bytes: int = 65_536) -> None:
        self._body_limit_bytes = body_limit_bytes
        self._client: httpx2.AsyncClient | None = None
        self._opening = asyncio.Lock()

    @classmethod
    def from_settings(cls, settings: Settings) -> "HttpExecutor":
        """Made with worker.http_body_limit_bytes."""
        return cls(settings.section(WorkerConfig).http_body_limit_bytes)

    def check(self, parameters: Mapping[str, Any]) -> Sequence[str]:
        """See TaskExecutor."""
        return parameter_problems("http", parameters)

    async def execute(self, parameters: Mapping[str, Any], context: RunContext, output: RunOutput) -> RunOutcome:
        """See TaskExecutor."""
        client = await self._opened()
        import httpx2

        method = parameters.get("method", "GET").upper()
        began = time.monotonic()
        try:
            async with asyncio.timeout(context.timeout_seconds):
                request = client.build_request(method, parameters["url"], **_content(parameters, context))
                response = await client.send(request, stream=True)
                try:
                    body, is_whole = await self._body(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            return RunOutcome(
                status=TaskRunStatus.TIMEOUT,
                error=f"There was no whole response within {context.timeout_seconds:g} s.",
            )
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            return RunOutcome(status=TaskRunStatus.FAILED, error=_problem(error, method, parameters["url"]))
        took = time.monotonic() - began
        output.write("log", f"{method} {response.status_code} in {took:.3f} s\n".encode())
        return _judged(parameters, response, _result(response, body, is_whole))

    def kill_now(self) -> None:
        """See TaskExecutor; there are no processes, the coroutines are cancelled by who runs them."""

    async def close(self) -> None:
        """See TaskExecutor."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _opened(self) -> "httpx2.AsyncClient":
        if self._client is None:
            async with self._opening:
                if self._client is None:
                    # Reading the system's certificates, and the library itself, would block the loop.
                    self._client = await in_own_thread(_new_client)
        return self._client

    async def _body(self, response: "httpx2.Response") -> tuple[bytes, bool]:
        """The first bytes of the body, and whether that is all of it."""
        body = bytearray()
        async for part in response.aiter_bytes():
            body += part
            if len(body) > self._body_limit_bytes:
                return bytes(body[: self._body_limit_bytes]), False
        return bytes(body), True


def _new_client() -> "httpx2.AsyncClient":
    import httpx2

    return httpx2.AsyncClient(
        verify=ssl.create_default_context(),
        trust_env=False,
        follow_redirects=False,
        # The run's own time-out bounds the whole; a host that does not answer is known sooner.
        timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
    )


def _content(parameters: Mapping[str, Any], context: RunContext) -> dict[str, Any]:
    headers = dict(parameters.get("headers") or {})
    given = {name.lower() for name in headers}
    if context.trace_context and "traceparent" not in given:
        headers["traceparent"] = context.trace_context
    body = parameters.get("body")
    if body is None:
        return {"headers": headers}
    if isinstance(body, str):
        return {"headers": headers, "content": body.encode()}
    if "content-type" not in given:
        headers["content-type"] = "application/json"
    return {"headers": headers, "content": msgspec.json.encode(body)}


def _judged(parameters: Mapping[str, Any], response: "httpx2.Response", result: dict[str, Any]) -> RunOutcome:
    expected = parameters.get("expected_status")
    wanted = range(200, 300) if expected is None else [expected] if isinstance(expected, int) else expected
    if response.status_code in wanted:
        return RunOutcome(status=TaskRunStatus.COMPLETED, result=result)
    said = "200 to 299" if expected is None else ", ".join(str(status) for status in wanted)
    reason = f" {response.reason_phrase}" if response.reason_phrase else ""
    return RunOutcome(
        status=TaskRunStatus.FAILED,
        result=result,
        error=f"The response was {response.status_code}{reason}; expected was {said}.",
    )


def _result(response: "httpx2.Response", body: bytes, is_whole: bool) -> dict[str, Any]:
    headers = {
        name: value
        for name, value in response.headers.items()
        if name in _KEPT_HEADERS or name.startswith(_KEPT_HEADER_PREFIX)
    }
    result = {"status": response.status_code, "headers": headers, "body": _readable(response, body, is_whole)}
    return result if is_whole else {**result, "is_truncated": True}


def _readable(response: "httpx2.Response", body: bytes, is_whole: bool) -> Any:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if is_whole and (kind == "application/json" or kind.endswith("+json")):
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError):
            pass
    try:
        text = body.decode(response.charset_encoding or "utf-8", "replace")
    except LookupError:
        text = body.decode("utf-8", "replace")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _problem(error: Exception, method: str, url: str) -> str:
    text = str(error).strip().rstrip(".")
    # A password in the address must not reach the run's error.
    shown = url.partition("?")[0]
    scheme, separator, rest = shown.partition("://")
    authority, slash, path = rest.partition("/")
    shown = f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"
    return f"{method} {shown} failed with {type(error).__name__}{f': {text}' if text else ''}."
