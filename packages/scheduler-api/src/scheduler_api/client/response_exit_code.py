"""Which exit code an error status of the API leads to."""

from scheduler_core.runtime.exit_code import ExitCode


def exit_code_for_response(status: int) -> ExitCode:
    """The exit code for an HTTP status that is an error.

    >>> exit_code_for_response(404).name, exit_code_for_response(422).name, exit_code_for_response(503).name
    ('NOT_FOUND', 'USAGE', 'UNREACHABLE')
    """
    match status:
        case 400 | 422:
            return ExitCode.USAGE
        case 401 | 403:
            return ExitCode.NOT_AUTHORIZED
        case 404 | 410:
            return ExitCode.NOT_FOUND
        case 409 | 412:
            return ExitCode.CONFLICT
        case 408 | 502 | 503 | 504:
            return ExitCode.UNREACHABLE
        case _:
            return ExitCode.FAILURE
