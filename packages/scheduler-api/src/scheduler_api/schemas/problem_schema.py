"""Errors as problem documents (RFC 9457)."""

from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from scheduler_api.api_error import InvalidQueryError, answer_to, problems_of
from scheduler_api.request_id import current_request_id
from scheduler_core.errors import Problem

PROBLEM_MEDIA_TYPE = "application/problem+json"
_ENTRIES_MAX = 200
_DETAILS_MAX = 5


class ProblemEntry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One thing that is wrong: in the body at `pointer` (RFC 6901), or in the query parameter `parameter`."""

    field: str
    message: str
    pointer: str | None = None
    parameter: str | None = None


class ProblemDocument(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An error: `code` is for programs and stable, `detail` for people. `errors` lists all that is wrong at once."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str = ""
    errors: list[ProblemEntry] = []


def problem_document(error: Exception) -> ProblemDocument:
    """The document for an error."""
    answer = answer_to(error)
    problems = problems_of(error)
    in_query = isinstance(error, InvalidQueryError)
    entries = [_entry(problem, in_query=in_query) for problem in problems[:_ENTRIES_MAX]]
    return ProblemDocument(
        type=f"urn:scheduler:problem:{answer.code}",
        title=answer.title or HTTPStatus(answer.status).phrase,
        status=answer.status,
        code=answer.code,
        detail=_detail(error, answer.status, problems),
        request_id=current_request_id(),
        errors=entries,
    )


def _detail(error: Exception, status: int, problems: Sequence[Problem]) -> str:
    if status == 500:
        # The text of an unforeseen error may hold what nobody outside should read; the log has it.
        return "The server failed while it worked on this request. Its log has the reason under the request id."
    if len(problems) <= 1:
        return str(error)
    told = "; ".join(f"{p.field}: {p.message}" if p.field else p.message for p in problems[:_DETAILS_MAX])
    rest = len(problems) - _DETAILS_MAX
    return f"{len(problems)} things are wrong: {told}" + (f"; and {rest} more." if rest > 0 else "")


def _entry(problem: Problem, *, in_query: bool) -> ProblemEntry:
    if in_query:
        return ProblemEntry(field=problem.field, message=problem.message, parameter=problem.field)
    return ProblemEntry(field=problem.field, message=problem.message, pointer=_pointer(problem.field))


def _pointer(field: str) -> str:
    """The JSON pointer, as a URI fragment, of a path such as ``schedule.cron``."""
    return "#" + "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in field.split(".") if part)
