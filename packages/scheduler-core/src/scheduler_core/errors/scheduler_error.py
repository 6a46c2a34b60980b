"""The root of every error that Scheduler raises on purpose.

::

    SchedulerError
    ├── InvalidInputError            what a person or program sent; lists every problem at once
    ├── ConfigError
    │   └── UnknownConfigKeyError
    ├── ComponentMissingError, ComponentFailedError
    ├── RepositoryError
    │   ├── NotFoundError            TaskNotFoundError, TaskRunNotFoundError
    │   ├── AlreadyExistsError       TaskNameTakenError
    │   ├── ConflictError            TaskHasDependentsError, TaskRunStateError, IllegalTransitionError
    │   ├── SchemaVersionError
    │   └── StoreUnavailableError    the database cannot be reached; asking again later may help
    ├── MessageQueueError
    │   └── MessageQueueUnavailableError
    └── WorkerIdTakenError, SessionFencedError
"""


class SchedulerError(Exception):
    """Something Scheduler can explain: its text is one paragraph that ends with the remedy."""
