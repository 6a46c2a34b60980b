"""What a response makes of a run."""

from datetime import UTC, datetime

import httpx2
import pytest

from scheduler_core.models import TaskRunStatus
from scheduler_worker.executors.http_result import outcome_of, retry_after_seconds

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 120 "}, 120.0),
        ({"retry-after": "99999999999999999999"}, 86_400.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": "Thu, 01 Jan 2026 12:01:00 GMT"}, 60.0),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 86_400.0),
        ({"retry-after": "Thu, 01 Jan 2026 15:00:30 GMT", "date": "Thu, 01 Jan 2026 15:00:00 GMT"}, 30.0),
    ],
)
def test_worker_unit_http_retry_after_seconds(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds and dates are understood, nothing else is, and no server puts a run off for more than a day."""
    assert retry_after_seconds(headers, NOW) == seconds


@pytest.mark.parametrize("status", [429, 500, 503])
def test_worker_unit_http_outcome_asks_for_a_retry_only_when_busy(status: int) -> None:
    """Retry-After counts with the two statuses that mean "not now"."""
    response = httpx2.Response(status, headers={"Retry-After": "9"})

    outcome = outcome_of({"respect_retry_after": True}, response, b"", True, NOW)

    assert outcome.retry_after_seconds == (9.0 if status != 500 else None)


@pytest.mark.parametrize(
    ("kind", "body", "readable"),
    [
        ("application/problem+json; charset=utf-8", b'{"a": [1]}', {"a": [1]}),
        ("application/json", b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ("text/plain; charset=iso-8859-1", b"caf\xe9", "café"),
        ("text/plain; charset=no-such", b"caf\xc3\xa9\0", "café\N{REPLACEMENT CHARACTER}"),
        ("text/plain; charset=punycode", b"caf-dma", "caf-dma"),
        ("text/plain; charset=base64", b"caf\xc3\xa9", "café"),
        ("application/octet-stream", b"\xff", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_worker_unit_http_outcome_reads_bodies(kind: str, body: bytes, readable: object) -> None:
    """JSON becomes JSON, everything else a text that can be stored."""
    response = httpx2.Response(200, headers={"Content-Type": kind})

    outcome = outcome_of({}, response, body, True, NOW)

    assert (outcome.status, outcome.result["body"]) == (TaskRunStatus.COMPLETED, readable)
    assert outcome.http_status == 200
