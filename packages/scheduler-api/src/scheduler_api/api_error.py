"""Errors that only HTTP knows, and the status and code of every error that may be answered."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scheduler_core.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    Problem,
    SchedulerError,
    SchemaVersionError,
    StoreUnavailableError,
)


class ApiError(SchedulerError):
    """A request that cannot be served as it came."""

    status = 400
    code = "bad_request"


class MalformedBodyError(ApiError):
    """The body is not JSON."""

    code = "malformed_body"


class NotAuthorizedError(ApiError):
    """No key, or one that is not valid."""

    status = 401
    code = "not_authorized"


class MethodNotAllowedError(ApiError):
    """The address exists and takes other methods."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, method: str, path: str, allowed: Sequence[str]) -> None:
        self.allowed = ", ".join(sorted(allowed))
        super().__init__(f"{path} does not take {method}. It takes {self.allowed}.")


class NoSuchAddressError(ApiError):
    """Nothing has this address."""

    status = 404
    code = "not_found"


class BodyTooLargeError(ApiError):
    """The body is longer than api.body_bytes_max."""

    status = 413
    code = "body_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The body is larger than {limit} bytes. Send less at once, or raise api.body_bytes_max on the server."
        )


class BodyTooSlowError(ApiError):
    """The body did not arrive in time."""

    status = 408
    code = "body_too_slow"


class InvalidQueryError(InvalidInputError):
    """Query parameters that cannot be used; the fields of its problems are their names."""


class IdempotencyKeyError(ApiError):
    """An Idempotency-Key that cannot be used, or not for this request."""

    status = 422
    code = "idempotency_key"


class ErrorAnswer(NamedTuple):
    """How an error is told: status, a stable code for programs, a title for people, and headers."""

    status: int
    code: str
    title: str
    headers: Mapping[str, str] = {}


_ANSWERS: tuple[tuple[type[Exception], ErrorAnswer], ...] = (
    (InvalidInputError, ErrorAnswer(422, "invalid_input", "The request has values that cannot be used.")),
    (NotFoundError, ErrorAnswer(404, "not_found", "It does not exist.")),
    (AlreadyExistsError, ErrorAnswer(409, "already_exists", "It exists already.")),
    (ConflictError, ErrorAnswer(409, "conflict", "The present state does not allow it.")),
    (
        StoreUnavailableError,
        ErrorAnswer(503, "database_unavailable", "The database cannot be used now.", {"Retry-After": "5"}),
    ),
    (
        SchemaVersionError,
        ErrorAnswer(503, "schema_version", "The database has another schema.", {"Retry-After": "30"}),
    ),
)

_INTERNAL = ErrorAnswer(500, "internal_error", "The server failed.")


def answer_to(error: Exception) -> ErrorAnswer:
    """The status, code and title of an error; whatever nobody expected is a 500 that tells nothing of its inside."""
    if isinstance(error, ApiError):
        headers = {}
        if isinstance(error, NotAuthorizedError):
            headers = {"WWW-Authenticate": 'Bearer realm="scheduler"'}
        if isinstance(error, MethodNotAllowedError):
            headers = {"Allow": error.allowed}
        return ErrorAnswer(error.status, error.code, (type(error).__doc__ or "").strip(), headers)
    return next((answer for kind, answer in _ANSWERS if isinstance(error, kind)), _INTERNAL)


def problems_of(error: Exception) -> tuple[Problem, ...]:
    """Everything that the error says is wrong, one by one; empty when it is about the request as a whole."""
    return error.problems if isinstance(error, InvalidInputError) else ()
