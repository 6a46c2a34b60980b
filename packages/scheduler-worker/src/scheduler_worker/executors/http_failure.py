"""Why a call came to no response, in one sentence without secrets."""

import os
import ssl

import httpcore2
import httpx2

from scheduler_core.interfaces import RunOutcome
from scheduler_core.models import TaskRunStatus
from scheduler_worker.executors.http_egress import EgressRefusedError, UnknownHostError
from scheduler_worker.executors.http_request import RedirectRefusedError
from scheduler_worker.executors.http_response import TooSlowError, UnreadableBodyError

_CONNECTION = ("builtins.ConnectionError", "builtins.OSError", "builtins.Exception")
_REASON_CHARACTERS_MAX = 300


def failure_of(error: Exception, method: str, shown: str) -> RunOutcome | None:
    """The outcome of a call that failed this way; None for errors that calls do not have.

    What cannot get better by itself is not tried again. A connection that failed is a `ConnectionError` to retry
    policies.
    """
    if isinstance(error, EgressRefusedError | RedirectRefusedError):
        told = "was not sent" if isinstance(error, EgressRefusedError) else "failed"
        return RunOutcome(status=TaskRunStatus.FAILED, error=f"{method} {shown} {told}: {error}", retryable=False)
    if isinstance(error, httpx2.InvalidURL | httpcore2.LocalProtocolError | UnicodeError):
        # Their texts quote headers and addresses.
        told = "its address, a header or a length that a header states cannot be sent. Correct the parameters."
        return RunOutcome(status=TaskRunStatus.FAILED, error=f"{method} {shown} was not sent: {told}", retryable=False)
    if isinstance(error, TooSlowError):
        return RunOutcome(
            status=TaskRunStatus.TIMEOUT,
            error=f"{method} {shown} was given up: {error}.",
            exception_types=("builtins.TimeoutError", "builtins.OSError", "builtins.Exception"),
        )
    if isinstance(error, UnknownHostError | UnreadableBodyError):
        reason, types = str(error), _CONNECTION if isinstance(error, UnknownHostError) else ()
    elif isinstance(error, httpcore2.NetworkError | httpcore2.ProtocolError | httpcore2.TimeoutException):
        reason, types = _reason(error), _CONNECTION
    elif isinstance(error, httpx2.DecodingError):
        reason, types = "the body cannot be unpacked as its Content-Encoding says", ()
    else:
        return None
    return RunOutcome(status=TaskRunStatus.FAILED, error=f"{method} {shown} failed: {reason}.", exception_types=types)


def _reason(error: BaseException) -> str:
    """What the innermost error says: the layers above it know less."""
    innermost = error
    while (cause := innermost.__cause__ or innermost.__context__) is not None:
        innermost = cause
    if isinstance(innermost, ssl.SSLCertVerificationError):
        return f"the certificate of the server is not accepted: {innermost.verify_message.rstrip('.')}"
    if isinstance(innermost, OSError) and innermost.errno and not isinstance(innermost, ssl.SSLError):
        return os.strerror(innermost.errno)
    said = str(innermost) or str(error) or type(error).__name__
    return said[:_REASON_CHARACTERS_MAX].rstrip(". ")
