"""What an http task sends, and what it sends after a redirect."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urljoin

import httpcore2
import httpx2
import msgspec

from scheduler_core.decisions.url_rules import shown_url, url_problem
from scheduler_core.errors import SchedulerError

REDIRECTS = frozenset({301, 302, 303, 307, 308})

# What a stranger may see of a task's headers: no key, no cookie, no name of the run.
_HARMLESS = frozenset({"accept", "accept-encoding", "accept-language", "content-type", "user-agent"})
_OF_BODY = frozenset({"content-type", "content-encoding", "content-language", "content-length"})


class RedirectRefusedError(SchedulerError):
    """A redirect that is not followed, whatever the task says."""


class Call(NamedTuple):
    """One request: `headers` by name, those that follow from the rest are not among them."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None

    def request(self, extensions: dict[str, Any]) -> httpcore2.Request:
        """The request as it is sent; ValueError or httpx2.InvalidURL for an address that cannot be read.

        httpcore2.LocalProtocolError for a length in the headers that is not that of the body.
        """
        length = str(len(self.body or b""))
        if any(name.lower() == "content-length" and value.strip() != length for name, value in self.headers.items()):
            raise httpcore2.LocalProtocolError("the length that a header states is not that of the body")
        # Not as Latin-1: whoever wants other letters in a header means UTF-8 today.
        headers = [(name.encode("ascii"), value.strip().encode()) for name, value in self.headers.items()]
        made = httpx2.Request(self.method, self.url, headers=headers, content=self.body)
        url = httpcore2.URL(
            scheme=made.url.raw_scheme, host=made.url.raw_host, port=made.url.port, target=made.url.raw_path
        )
        return httpcore2.Request(
            self.method, url, headers=made.headers.raw, content=self.body or b"", extensions=extensions
        )

    def redirected(self, status: int, location: str) -> "Call":
        """The call that a redirect asks for; RedirectRefusedError where it must not be made.

        What could be secret does not go to another server: of the headers only harmless ones do.
        """
        try:
            url = urljoin(self.url, location.strip())
        except ValueError:
            # What cannot be joined is no address either, and told as such.
            url = location.strip()
        shown = shown_url(url)
        if (problem := url_problem(url)) is not None:
            raise RedirectRefusedError(f"the redirect is not followed: {problem}")
        if self.url.lower().startswith("https:") and not url.lower().startswith("https:"):
            raise RedirectRefusedError(
                f"the redirect from https to {shown} is not followed, as it gives up encryption."
            )
        method, body, headers = self.method, self.body, dict(self.headers)
        # As browsers do it, and so servers expect it.
        if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
            method, body = "GET", None
            headers = {name: value for name, value in headers.items() if name.lower() not in _OF_BODY}
        if _origin(url) != _origin(self.url):
            headers = {name: value for name, value in headers.items() if name.lower() in _HARMLESS}
        return Call(method, url, headers, body)


def first_call(parameters: Mapping[str, Any], trace_context: str | None) -> Call:
    """The call that a task describes; it continues the run's trace unless the task has a `traceparent` of its own."""
    headers = dict(parameters.get("headers") or {})
    given = {name.lower() for name in headers}
    body = parameters.get("body")
    defaults = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": "scheduler-worker"}
    if trace_context:
        defaults["traceparent"] = trace_context
    if body is not None and not isinstance(body, str):
        defaults["content-type"] = "application/json"
    headers |= {name: value for name, value in defaults.items() if name not in given}
    content = None if body is None else body.encode() if isinstance(body, str) else msgspec.json.encode(body)
    return Call(parameters.get("method", "GET").upper(), parameters["url"], headers, content)


def _origin(url: str) -> tuple[str, str, int | None]:
    parsed = httpx2.URL(url)
    return parsed.scheme, parsed.host, parsed.port
