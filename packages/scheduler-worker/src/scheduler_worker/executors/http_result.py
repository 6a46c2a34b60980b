"""What a response makes of a run."""

from codecs import BOM_UTF8, lookup
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import msgspec

from scheduler_core.decisions.http_option_rules import extracted
from scheduler_core.decisions.url_rules import shown_url
from scheduler_core.interfaces import RunOutcome
from scheduler_core.models import TaskRunStatus

if TYPE_CHECKING:
    import httpx2

RETRY_AFTER_SECONDS_MAX = 86_400.0
"""However long a server wants to be left alone, a run is tried again after a day."""

_KEPT_HEADERS = ("content-type", "content-length", "date", "etag", "last-modified", "location", "retry-after")
_KEPT_HEADER_PREFIX = "x-request-id"
_END_CHARACTERS = 4096


def outcome_of(
    parameters: Mapping[str, Any], response: "httpx2.Response", body: bytes, is_whole: bool, now: datetime
) -> RunOutcome:
    """COMPLETED for an expected status whose body has what is to be extracted, else FAILED.

    The result is {"status", "headers", "body"}, with "extracted" in the place of the body where a task extracts, and
    "is_truncated" where the body is not whole.
    """
    readable = _readable(response, body, is_whole)
    text = readable if isinstance(readable, str) else body.decode("utf-8", "replace")
    result: dict[str, Any] = {"status": response.status_code, "headers": _kept_headers(response), "body": readable}
    if not is_whole:
        result["is_truncated"] = True
    problem = _status_problem(parameters, response)
    retry_after = None
    if problem is not None:
        if parameters.get("respect_retry_after") and response.status_code in (429, 503):
            retry_after = retry_after_seconds(response.headers, now)
    elif (extract := parameters.get("extract")) is not None:
        values, problem = _extracted(extract, readable, is_whole)
        if problem is None:
            del result["body"]
            result["extracted"] = values
    return RunOutcome(
        status=TaskRunStatus.COMPLETED if problem is None else TaskRunStatus.FAILED,
        result=result,
        error=problem,
        http_status=response.status_code,
        output_end=text[-_END_CHARACTERS:],
        retry_after_seconds=retry_after,
    )


def expected_statuses(parameters: Mapping[str, Any]) -> frozenset[int]:
    """The statuses that make a run COMPLETED."""
    expected = parameters.get("expected_status")
    return frozenset(range(200, 300) if expected is None else [expected] if isinstance(expected, int) else expected)


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """After how long a server wants to be asked again, at most a day; None where it does not say it.

    A date counts from the date of the response itself, so that a server's clock may be wrong.

    >>> retry_after_seconds({"retry-after": "120"}, datetime(2026, 1, 1, tzinfo=UTC))
    120.0
    """
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdecimal():
        return min(float(said[:12]), RETRY_AFTER_SECONDS_MAX)
    until = _date(said)
    if until is None:
        return None
    seconds = (until - (_date(headers.get("date", "")) or now)).total_seconds()
    return min(max(seconds, 0.0), RETRY_AFTER_SECONDS_MAX)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _kept_headers(response: "httpx2.Response") -> dict[str, str]:
    return {
        name: value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        for name, value in response.headers.items()
        if name in _KEPT_HEADERS or name.startswith(_KEPT_HEADER_PREFIX)
    }


def _status_problem(parameters: Mapping[str, Any], response: "httpx2.Response") -> str | None:
    if response.status_code in expected_statuses(parameters):
        return None
    expected = parameters.get("expected_status")
    wanted = [expected] if isinstance(expected, int) else expected
    said = "200 to 299" if wanted is None else ", ".join(str(status) for status in wanted)
    reason = f" {response.reason_phrase}" if response.reason_phrase else ""
    told = f"The response was {response.status_code}{reason}; expected was {said}."
    if (location := response.headers.get("location")) and 300 <= response.status_code < 400:
        limit = parameters.get("redirects_max") or 0
        told += f" It redirects to {shown_url(location)}, and redirects_max is {limit}."
    return told


def _extracted(extract: Mapping[str, Any], readable: Any, is_whole: bool) -> tuple[dict[str, Any], str | None]:
    if not is_whole:
        return {}, (
            "Nothing can be extracted: the body of the response is larger than the worker keeps "
            "(worker.http_body_limit_bytes)."
        )
    if isinstance(readable, str):
        return {}, "Nothing can be extracted: the response is no JSON object or list (Content-Type application/json)."
    values: dict[str, Any] = {}
    for name, path in extract.items():
        values[name], problem = extracted(readable, path)
        if problem is not None:
            return {}, f"'{name}' cannot be extracted from the response: {problem}."
    return values, None


def _readable(response: "httpx2.Response", body: bytes, is_whole: bool) -> Any:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if is_whole and (kind == "application/json" or kind.endswith("+json")):
        try:
            # Some servers put a mark in front that is no JSON.
            return msgspec.json.decode(body.removeprefix(BOM_UTF8))
        except (msgspec.DecodeError, RecursionError):
            pass
    try:
        codec = lookup(response.charset_encoding or "utf-8").name
        # No text is written so, and with some bodies it takes seconds, in which the worker could do nothing else.
        text = body.decode("utf-8" if codec == "punycode" else codec, "replace")
    except (LookupError, ValueError):
        text = body.decode("utf-8", "replace")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
