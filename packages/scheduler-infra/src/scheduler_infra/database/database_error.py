"""Driver errors turned into core's, once, by SQLSTATE and constraint name."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg

from scheduler_core.errors import (
    AlreadyExistsError,
    ConflictError,
    LimitNameTakenError,
    RepositoryError,
    SchedulerError,
    SchemaVersionError,
    StoreUnavailableError,
    TaskNameTakenError,
)

_REMEDY = "Check that it runs, and that database.url is right."
_NAMES = {"uq_tasks_namespace_name": TaskNameTakenError, "uq_limits_namespace_name": LimitNameTakenError}
# Time-outs of idle sessions and transactions, such as those of a process that was stopped for a while.
_SESSION_ENDED = ("25P03", "25P04", "57P05")
RETRYABLE = (pg.SerializationFailure, pg.DeadlockDetected, pg.LockNotAvailable)


class RetryableConflictError(ConflictError):
    """Two transactions got in each other's way; nothing was changed, and trying again is likely to work."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn what psycopg raises inside into core's errors, keeping the original as the cause."""
    try:
        yield
    except SchedulerError:
        raise
    except psycopg.Error as error:
        raise translate(error) from error
    except (ConnectionError, TimeoutError) as error:
        raise StoreUnavailableError(f"The database cannot be reached: {_sentence(error)} {_REMEDY}") from error


def translate(error: psycopg.Error) -> SchedulerError:
    """The core error that says the same as a driver's."""
    if isinstance(error, RETRYABLE):
        return RetryableConflictError(f"The change collided with another one and was undone: {_first_line(error)}")
    if isinstance(error, pg.UniqueViolation):
        return _already_exists(error)
    if isinstance(error, (pg.UndefinedTable, pg.InvalidSchemaName, pg.UndefinedColumn)):
        return SchemaVersionError(
            "The database's schema is missing or too old for this version: run `scheduler-infra db upgrade`."
        )
    if isinstance(error, pg.ReadOnlySqlTransaction):
        return StoreUnavailableError("The database is read-only: it is a standby. Point database.url at the primary.")
    if error.sqlstate in _SESSION_ENDED:
        return StoreUnavailableError(f"The database has ended the session: {_sentence(error)} It is opened anew.")
    # Class 54, a limit of the server exceeded: the statement is at fault, and trying again would never help.
    is_limit = (error.sqlstate or "").startswith("54")
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)) and not is_limit:
        return StoreUnavailableError(f"The database cannot be used now: {_sentence(error)} {_REMEDY}")
    return RepositoryError(f"The database refused a statement: {_first_line(error)}")


def _already_exists(error: pg.UniqueViolation) -> SchedulerError:
    taken = _NAMES.get(error.diag.constraint_name or "")
    if taken is not None:
        # The detail reads: Key (namespace, name)=(default, extract) already exists.
        detail = (error.diag.message_detail or "").partition("=(")[2].rpartition(")")[0]
        namespace, _, name = detail.partition(", ")
        return taken(name, namespace)
    return AlreadyExistsError(error.diag.message_detail or _first_line(error))


def _sentence(error: BaseException) -> str:
    return _first_line(error).rstrip(".") + "."


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
