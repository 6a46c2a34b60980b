"""What a store can answer instead of doing what it was asked."""

from scheduler_core.errors.scheduler_error import SchedulerError


class RepositoryError(SchedulerError):
    """The store refused or could not be used."""


class NotFoundError(RepositoryError, LookupError):
    """What was named does not exist."""


class AlreadyExistsError(RepositoryError):
    """What was to be created is there already."""


class ConflictError(RepositoryError):
    """The present state does not allow the change."""


class SchemaVersionError(RepositoryError):
    """The database's schema is not the one this version works with; the text names the command that helps."""


class StoreUnavailableError(RepositoryError, ConnectionError):
    """The database cannot be reached or does not answer in time; nothing is known about the last change."""
