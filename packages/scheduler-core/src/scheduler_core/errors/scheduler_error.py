"""The root of every error that Scheduler raises on purpose.

::

    SchedulerError
    ├── InvalidInputError            what a person or program sent; lists every problem at once
    ├── TemplateError                a template or expression that has no value
    ├── ConfigError
    │   └── UnknownConfigKeyError
    ├── ComponentMissingError, ComponentFailedError
    ├── RepositoryError
    │   ├── NotFoundError            TaskNotFoundError, TaskRunNotFoundError, FlowNotFoundError, GroupNotFoundError,
    │   │                            LimitNotFoundError
    │   ├── AlreadyExistsError       TaskNameTakenError, LimitNameTakenError
    │   ├── ConflictError            TaskHasDependentsError, TaskRunStateError, FlowStateError, IllegalTransitionError,
    │   │                            LimitInUseError, QuarantineDecidedError
    │   ├── SchemaVersionError
    │   └── StoreUnavailableError    the database cannot be reached; asking again later may help
    ├── MessageQueueError
    │   └── MessageQueueUnavailableError
    └── WorkerIdTakenError, SessionFencedError
"""


class SchedulerError(Exception):
    """Something Scheduler can explain: its text is one paragraph that ends with the remedy."""
