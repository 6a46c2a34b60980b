"""The calls of one http task: the first, and those that redirects ask for."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpcore2

from scheduler_core.decisions.url_rules import shown_url
from scheduler_core.interfaces import RunContext, RunOutcome, RunOutput
from scheduler_worker.executors.http_failure import failure_of
from scheduler_worker.executors.http_request import REDIRECTS, first_call
from scheduler_worker.executors.http_response import Patience, body_of, exchange
from scheduler_worker.executors.http_result import expected_statuses, outcome_of

_CONNECT_SECONDS = 10.0


async def calls_to_end(
    pool: httpcore2.AsyncConnectionPool,
    parameters: Mapping[str, Any],
    context: RunContext,
    output: RunOutput,
    body_limit_bytes: int,
) -> RunOutcome:
    """What becomes of a task with these parameters; tells each call in the run's output."""
    patience = Patience(
        parameters.get("connect_timeout_seconds") or _CONNECT_SECONDS, parameters.get("first_byte_timeout_seconds")
    )
    redirects_left = parameters.get("redirects_max") or 0
    expected = expected_statuses(parameters)
    method, shown = parameters.get("method", "GET").upper(), shown_url(parameters["url"])
    try:
        call = first_call(parameters, context.trace_context)
        while True:
            method, shown = call.method, shown_url(call.url)
            began = time.monotonic()
            async with exchange(pool, call, patience) as response:
                status, location = response.status_code, response.headers.get("location", "")
                is_redirect = status in REDIRECTS and status not in expected and bool(location)
                if not (is_redirect and redirects_left):
                    body, is_whole = await body_of(response, body_limit_bytes)
                    output.write("log", _told(method, status, began))
                    return outcome_of(parameters, response, body, is_whole, datetime.now(UTC))
            output.write("log", _told(method, status, began))
            redirects_left -= 1
            call = call.redirected(status, location)
    except Exception as error:
        outcome = failure_of(error, method, shown)
        if outcome is None:
            raise
        return outcome


def _told(method: str, status: int, began: float) -> bytes:
    return f"{method} {status} in {time.monotonic() - began:.3f} s\n".encode()
