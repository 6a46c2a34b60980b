"""Errors as problem documents."""

import pytest

from scheduler_api.api_error import InvalidQueryError, MethodNotAllowedError, NotAuthorizedError, answer_to
from scheduler_api.schemas.problem_schema import problem_document
from scheduler_core.errors import (
    ConflictError,
    InvalidInputError,
    Problem,
    SchemaVersionError,
    StoreUnavailableError,
    TaskHasDependentsError,
    TaskNameTakenError,
    TaskNotFoundError,
)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidInputError.of("name", "x"), 422, "invalid_input"),
        (TaskNotFoundError("a"), 404, "not_found"),
        (TaskNameTakenError("a", "default"), 409, "already_exists"),
        (TaskHasDependentsError("a", ["b"]), 409, "conflict"),
        (ConflictError("x"), 409, "conflict"),
        (StoreUnavailableError("x"), 503, "database_unavailable"),
        (SchemaVersionError("x"), 503, "schema_version"),
        (NotAuthorizedError("x"), 401, "not_authorized"),
        (MethodNotAllowedError("POST", "/x", ["GET"]), 405, "method_not_allowed"),
        (ZeroDivisionError("secret"), 500, "internal_error"),
    ],
)
def test_problem_document_has_status_and_code(error: Exception, status: int, code: str) -> None:
    """Every error has its status and a stable code, and the document says the same as the status line."""
    document = problem_document(error)
    assert (document.status, document.code, answer_to(error).status) == (status, code, status)


def test_problem_document_points_at_each_problem() -> None:
    """Each problem of a body has a pointer into it, each problem of a query its parameter."""
    problems = [Problem("schedule.cron", "x"), Problem("", "y")]
    assert [e.pointer for e in problem_document(InvalidInputError(problems)).errors] == ["#/schedule/cron", "#"]
    (entry,) = problem_document(InvalidQueryError([Problem("limit", "x")])).errors
    assert (entry.parameter, entry.pointer) == ("limit", None)


def test_problem_document_tells_nothing_of_an_unforeseen_error() -> None:
    """What an unforeseen error says stays in the log."""
    assert "secret" not in str(problem_document(ZeroDivisionError("secret")))


def test_problem_document_bounds_the_list() -> None:
    """A body with endless faults does not get an endless answer."""
    document = problem_document(InvalidInputError([Problem(f"f{i}", "x") for i in range(5000)]))
    assert len(document.errors) == 200
    assert len(document.detail) < 500
    assert document.detail.startswith("5000 things")
