"""One kept-alive connection to the HTTP API, from the standard library alone.

`http.client` and not httpx2: importing httpx2 costs 150 ms, http.client 30, and a command that a person or a shell
loop types makes one request. What is given up is proxies from the environment, redirects and HTTP/2; none is of use
between a client and its own scheduler. `https://` verifies certificates with the system's store (SSL_CERT_FILE).
"""

import http.client
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from scheduler_api.client.client_error import NotAnApiError, RefusedError, ServerUnreachableError, UsageError

API_ROOT = "/api/v1"

_RETRIES = 2
_RETRY_PAUSE_SECONDS = 0.2

# After these nothing is known about the request: it may or may not have been carried out.
_BROKEN = (http.client.BadStatusLine, http.client.IncompleteRead, BrokenPipeError, ConnectionResetError)


class ApiClient:
    """Speaks to one server. Not for several threads at once.

    A request whose connection breaks is sent again (twice at most) when doing it twice is harmless: every method
    but POST is, and a POST is when it carries an Idempotency-Key.
    """

    def __init__(self, server: str, api_key: str | None, *, timeout_seconds: float = 30.0) -> None:
        parts = urlsplit(server)
        try:
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise UsageError(
                f"The server '{server}' is not an address such as http://127.0.0.1:8080. "
                "Correct --server or SCHEDULER_SERVER."
            )
        if api_key is not None and (not api_key.isascii() or not api_key.isprintable()):
            raise UsageError("The API key contains characters that no key has. Copy it again, without line breaks.")
        self.server = server.rstrip("/")
        self._prefix = parts.path.rstrip("/")
        self._api_key = api_key
        connection = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = connection(parts.hostname, port, timeout=timeout_seconds)
        self._timeout_seconds = timeout_seconds

    def __enter__(self) -> "ApiClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; another request opens it again."""
        self._connection.close()

    def get(self, *path: str | int, **query: Any) -> Any:
        """The JSON at a path under the API's root; query values that are None are left out, lists are repeated."""
        return self.request("GET", _api_path(path), query=query)

    def post(self, *path: str | int, body: Any = None, idempotent: bool = False, **query: Any) -> Any:
        """Post JSON. `idempotent` adds a fresh Idempotency-Key, so that it can be sent again."""
        headers = {"Idempotency-Key": str(uuid.uuid4())} if idempotent else {}
        return self.request("POST", _api_path(path), query=query, body=body, headers=headers)

    def patch(self, *path: str | int, body: Any, **query: Any) -> Any:
        """Change what is named in the body."""
        return self.request("PATCH", _api_path(path), query=query, body=body)

    def delete(self, *path: str | int, **query: Any) -> Any:
        """Delete; the answer's JSON, or None when it has no body."""
        return self.request("DELETE", _api_path(path), query=query)

    def pages(self, *path: str | int, **query: Any) -> Iterator[dict[str, Any]]:
        """Page after page of a list, to its end."""
        cursor: str | None = None
        while True:
            page = self.get(*path, **{**query, "cursor": cursor})
            if not isinstance(page, dict) or not isinstance(page.get("items"), list):
                raise NotAnApiError(f"{self.server} answered with something that is no page of items.")
            yield page
            if page.get("next_cursor") in (None, cursor):
                return
            cursor = page["next_cursor"]

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        accept_statuses: tuple[int, ...] = (),
    ) -> Any:
        """Send one request and return the answer's JSON.

        Statuses from 300 on raise RefusedError unless they are in `accept_statuses`. Raises ServerUnreachableError
        when nothing answers in time.
        """
        pairs = urlencode({k: v for k, v in (query or {}).items() if v is not None}, doseq=True)
        target = f"{self._prefix}{path}" + (f"?{pairs}" if pairs else "")
        sent = {"Accept": "application/json, application/problem+json", **(headers or {})}
        if self._api_key is not None:
            sent["Authorization"] = f"Bearer {self._api_key}"
        content = None
        if body is not None:
            content = _encode(body)
            sent["Content-Type"] = "application/json"
        status, kind, answer = self._exchange(method, target, content, sent)
        return self._understand(status, kind, answer, accept_statuses)

    def _exchange(
        self, method: str, target: str, content: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, str, bytes]:
        repeatable = method != "POST" or "Idempotency-Key" in headers
        retries = _RETRIES if repeatable else 0
        while True:
            try:
                self._connection.request(method, target, body=content, headers=dict(headers))
                response = self._connection.getresponse()
                answer = response.read()
            except _BROKEN as error:
                self._connection.close()
                if retries == 0:
                    known = "" if repeatable else " Whether it took effect is not known: look before repeating."
                    raise ServerUnreachableError(
                        f"The server at {self.server} hung up without an answer ({_reason(error)}).{known}"
                    ) from error
                retries -= 1
                time.sleep(_RETRY_PAUSE_SECONDS)
            except TimeoutError as error:
                self._connection.close()
                raise ServerUnreachableError(
                    f"The server at {self.server} did not answer within {self._timeout_seconds:g} s. "
                    "Look at it with `scheduler status`, or allow more time with --request-timeout."
                ) from error
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                raise ServerUnreachableError(
                    f"No server answers at {self.server} ({_reason(error)}). "
                    "Start one with `scheduler up`, or name another one with --server or SCHEDULER_SERVER."
                ) from error
            else:
                return response.status, response.headers.get_content_type(), answer

    def _understand(self, status: int, kind: str, answer: bytes, accept_statuses: tuple[int, ...]) -> Any:
        document: Any = None
        understood = True
        if answer:
            try:
                document = json.loads(answer)
            except ValueError:
                understood = False
        if status < 300 or status in accept_statuses:
            if not understood:
                raise NotAnApiError(
                    f"{self.server} answered with {kind or 'nothing'} where the API answers with JSON: another program "
                    "may listen there. Correct --server or SCHEDULER_SERVER."
                )
            return document
        if isinstance(document, dict) and status >= 400:
            raise RefusedError(status, _with_remedy(status, document))
        raise RefusedError(
            status,
            {
                "type": "about:blank",
                "title": http.client.responses.get(status, "Unexpected answer"),
                "status": status,
                "detail": f"{self.server} answered with status {status} and no problem document: another program may "
                "listen there. Correct --server or SCHEDULER_SERVER.",
            },
        )


def _with_remedy(status: int, problem: dict[str, Any]) -> dict[str, Any]:
    if status != 401:
        return problem
    remedy = "Give a key with --api-key, SCHEDULER_API_KEY or SCHEDULER_API_KEY_FILE."
    detail = str(problem.get("detail") or problem.get("title") or "A key is required.")
    return problem if "SCHEDULER_API_KEY" in detail else {**problem, "detail": f"{detail} {remedy}"}


def _api_path(parts: tuple[str | int, ...]) -> str:
    return "/".join([API_ROOT, *(quote(str(part), safe="") for part in parts)])


def _encode(body: Any) -> bytes:
    try:
        return json.dumps(body, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"The request cannot be written as JSON: {error}.") from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
