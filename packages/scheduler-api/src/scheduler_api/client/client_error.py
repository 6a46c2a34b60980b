"""What can go wrong on this side of the API, each with the exit code it leads to and a problem document."""

from collections.abc import Mapping, Sequence
from typing import Any

from scheduler_api.client.response_exit_code import exit_code_for_response
from scheduler_core.errors import Problem, SchedulerError
from scheduler_core.runtime.exit_code import ExitCode


class ClientError(SchedulerError):
    """A command cannot do what was asked; the text is for people, `problem` is the same as problem JSON."""

    exit_code = ExitCode.FAILURE
    code = "client_failure"

    @property
    def problem(self) -> dict[str, Any]:
        """The error in the shape of the API's own errors (RFC 9457)."""
        return {"type": "about:blank", "title": type(self).__doc__, "code": self.code, "detail": str(self)}


class UsageError(ClientError):
    """What was typed, or what a file says, cannot be used."""

    exit_code = ExitCode.USAGE
    code = "usage"

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems = [Problem("", problems)] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(f"{field}: {text}" if field else text for field, text in self.problems))

    @property
    def problem(self) -> dict[str, Any]:
        """The error with one entry in `errors` for each thing that is wrong."""
        return {**super().problem, "errors": [{"field": field, "message": text} for field, text in self.problems]}


class ServerUnknownError(ClientError):
    """No server was named and none has been started here."""

    exit_code = ExitCode.UNREACHABLE
    code = "server_unknown"


class ServerUnreachableError(ClientError):
    """The server does not answer, or not in time."""

    exit_code = ExitCode.UNREACHABLE
    code = "server_unreachable"


class NotAnApiError(ClientError):
    """Something answered that is not the Scheduler's API."""

    code = "not_an_api"


class WaitTimeoutError(ClientError):
    """The runs were not final in the time that was given for them."""

    exit_code = ExitCode.UNREACHABLE
    code = "wait_timeout"


class NothingFoundError(ClientError):
    """What was asked about does not exist."""

    exit_code = ExitCode.NOT_FOUND
    code = "not_found"


class RefusedError(ClientError):
    """The API answered with a problem; `problem` is that document as it came."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self._problem = dict(problem)
        self.exit_code = exit_code_for_response(status)
        super().__init__(_sentences(status, self._problem))

    @property
    def problem(self) -> dict[str, Any]:
        """The API's own document."""
        return self._problem

    @property
    def errors(self) -> list[Problem]:
        """The single problems of the document; empty when it names none."""
        return problems_of(self._problem)


def problems_of(problem: Mapping[str, Any]) -> list[Problem]:
    """The single problems that a problem document lists, each with the path of its field ("" for the whole)."""
    listed = problem.get("errors")
    found = []
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, Mapping):
            field = entry.get("field") or entry.get("pointer") or entry.get("path") or ""
            found.append(Problem(str(field), str(entry.get("message") or entry.get("detail") or "is not acceptable")))
    return found


def _sentences(status: int, problem: Mapping[str, Any]) -> str:
    headline = str(problem.get("detail") or problem.get("title") or f"The server answered with status {status}.")
    lines = [f"{field}: {text}" if field else text for field, text in problems_of(problem)]
    if not lines:
        return headline
    if all(line in headline or line.partition(": ")[2] in headline for line in lines):
        return headline
    return "\n".join([headline, *(f"  {line}" for line in lines)])
