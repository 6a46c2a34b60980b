"""What a command's exit code says, the same for every command."""

from enum import IntEnum

from scheduler_core.errors import (
    AlreadyExistsError,
    ComponentMissingError,
    ConfigError,
    ConflictError,
    InvalidInputError,
    MessageQueueUnavailableError,
    NotFoundError,
    StoreUnavailableError,
)


class ExitCode(IntEnum):
    """0 to 6 for every command, 10 and more for runs that were waited for, above 128 for signals."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    NOT_AUTHORIZED = 4
    CONFLICT = 5
    UNREACHABLE = 6
    RUN_FAILED = 10
    RUN_CANCELLED = 11
    RUN_TIMED_OUT = 12
    INTERRUPTED = 130
    TERMINATED = 143


_CODES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], ExitCode], ...] = (
    ((ConfigError, ComponentMissingError, InvalidInputError), ExitCode.USAGE),
    (NotFoundError, ExitCode.NOT_FOUND),
    ((ConflictError, AlreadyExistsError), ExitCode.CONFLICT),
    ((StoreUnavailableError, MessageQueueUnavailableError), ExitCode.UNREACHABLE),
)


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code that tells of this error: bad settings and names are a matter of usage."""
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), ExitCode.FAILURE)
