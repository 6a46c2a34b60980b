"""How the call of a python function ended, in the words of a run."""

import traceback
from types import TracebackType
from typing import Any

import msgspec

from scheduler_core.interfaces import RunOutcome
from scheduler_core.models import TaskRunStatus
from scheduler_worker.error_text import described, storable, too_large
from scheduler_worker.executors.python_protocol import Answer
from scheduler_worker.run_asks import FailRun, RetryLater, RunStopped, SkipRun

_EXCEPTION_TYPES_MAX = 50
_CALLERS = frozenset({"__main__", "scheduler_worker", "asyncio", "importlib", "concurrent", "threading"})


_NOTHING = Answer()
_DONE = RunOutcome(status=TaskRunStatus.COMPLETED)


def returned(result: Any, limit_bytes: int) -> Answer:
    """The answer of a function that returned; a result that cannot be kept is a failure."""
    if result is None:
        return _NOTHING
    try:
        encoded = msgspec.json.encode(result)
    except BaseException as error:  # what it returned may be of any class
        reason = f"What the function returned ({type(result).__name__}) cannot be written as JSON: {described(error)}."
        return failed(reason, retryable=False)
    # Where it was made, so that nobody else ever has to hold it.
    if len(encoded) > limit_bytes:
        return failed(too_large(len(encoded), limit_bytes), retryable=False)
    return Answer(result=msgspec.Raw(encoded))


def raised(error: BaseException, *, is_stop_requested: bool = False) -> Answer:
    """The answer of a function that raised; what it asked for if it asked for something."""
    types = exception_types(error)
    if isinstance(error, RetryLater):
        return Answer(
            status=TaskRunStatus.FAILED,
            error=storable(str(error)),
            retry_after_seconds=error.seconds,
            exception_types=types,
        )
    if isinstance(error, SkipRun):
        return Answer(status=TaskRunStatus.SKIPPED, error=storable(str(error)), retryable=False)
    if isinstance(error, FailRun):
        return failed(str(error), retryable=False, types=types)
    if isinstance(error, RunStopped) and is_stop_requested:
        return Answer(status=TaskRunStatus.TIMEOUT, error="It ended itself when its soft time-out was over.")
    if isinstance(error, RunStopped):
        return failed("The function was interrupted by a SIGTERM that the worker had not sent.", types=types)
    if isinstance(error, SystemExit):
        reason = f"The function ended itself with sys.exit({error.code!r:.200})."
        return failed(reason, types=types, exit_code=_exit_code(error))
    return failed(f"{described(error)}.", types=types)


def failed(error: str, *, retryable: bool = True, types: tuple[str, ...] = (), exit_code: int | None = None) -> Answer:
    """The answer of a call that failed."""
    return Answer(
        status=TaskRunStatus.FAILED,
        error=storable(error),
        retryable=retryable,
        exception_types=types,
        exit_code=exit_code,
    )


def exception_types(error: BaseException) -> tuple[str, ...]:
    """The dotted names of the exception's class and of those that it is derived from.

    >>> exception_types(KeyError())
    ('builtins.KeyError', 'builtins.LookupError', 'builtins.Exception', 'builtins.BaseException')
    """
    classes = [known for known in type(error).__mro__ if known is not object]
    return tuple(storable(f"{known.__module__}.{known.__qualname__}") for known in classes[:_EXCEPTION_TYPES_MAX])


def traceback_text(error: BaseException) -> str:
    """The traceback as the function's author needs it; empty for what says how the run is to end."""
    if isinstance(error, RetryLater | SkipRun | FailRun | RunStopped):
        return ""
    try:
        return "".join(traceback.format_exception(type(error), error, _from_the_function_on(error.__traceback__)))
    except Exception:  # the class belongs to somebody else
        return f"{described(error)}\n"


def outcome_of(answer: Answer, output_end: str) -> RunOutcome:
    """What is said of the run."""
    if answer is _NOTHING:
        return _DONE
    result = None if bytes(answer.result) == b"null" else answer.result
    if answer.status is TaskRunStatus.COMPLETED:
        return RunOutcome(status=answer.status, result=result)
    return RunOutcome(
        status=answer.status,
        error=answer.error,
        retryable=answer.retryable,
        retry_after_seconds=answer.retry_after_seconds,
        exit_code=answer.exit_code,
        exception_types=answer.exception_types,
        output_end=output_end,
    )


def _from_the_function_on(frames: TracebackType | None) -> TracebackType | None:
    """Without the frames above the function, which say nothing to its author."""
    while frames is not None and str(frames.tb_frame.f_globals.get("__name__")).partition(".")[0] in _CALLERS:
        frames = frames.tb_next
    return frames


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    return error.code if isinstance(error.code, int) else 1
