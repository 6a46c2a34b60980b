"""Limits that are missing, doubled or needed."""

from collections.abc import Sequence

from scheduler_core.errors.repository_error import AlreadyExistsError, ConflictError, NotFoundError

_TOLD_MAX = 10


class LimitNotFoundError(NotFoundError):
    """No limit has this id or name."""

    def __init__(self, reference: int | str, namespace: str = "default") -> None:
        super().__init__(f"There is no limit '{reference}' in namespace '{namespace}'.")
        self.reference = reference


class LimitNameTakenError(AlreadyExistsError):
    """Another limit of the namespace has this name."""

    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(
            f"A limit named '{name}' exists already in namespace '{namespace}'. "
            "Choose another name, or change the existing limit with update or apply."
        )
        self.name = name


class LimitInUseError(ConflictError):
    """Tasks name the limit, so it cannot be deleted."""

    def __init__(self, name: str, tasks: Sequence[str]) -> None:
        named = ", ".join(f"'{task}'" for task in tasks[:_TOLD_MAX])
        more = f" and {len(tasks) - _TOLD_MAX} more" if len(tasks) > _TOLD_MAX else ""
        use = "uses" if len(tasks) == 1 else "use"
        super().__init__(
            f"Limit '{name}' cannot be deleted: {named}{more} {use} it. Name other limits there first, "
            f"or none: `scheduler task update {tasks[0]} --no-limits`."
        )
        self.tasks = tuple(tasks)
