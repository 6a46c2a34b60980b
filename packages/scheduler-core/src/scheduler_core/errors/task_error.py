"""Tasks that are missing, doubled or needed."""

from collections.abc import Sequence

from scheduler_core.errors.repository_error import AlreadyExistsError, ConflictError, NotFoundError


class TaskNotFoundError(NotFoundError):
    """No active task has this id or name."""

    def __init__(self, reference: int | str, namespace: str = "default") -> None:
        super().__init__(f"There is no task '{reference}' in namespace '{namespace}'.")
        self.reference = reference


class TaskNameTakenError(AlreadyExistsError):
    """Another active task of the namespace has this name."""

    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(
            f"A task named '{name}' exists already in namespace '{namespace}'. "
            "Choose another name, or change the existing task with update or apply."
        )
        self.name = name


class TaskHasDependentsError(ConflictError):
    """Other tasks wait for this one, so it cannot be deleted."""

    def __init__(self, name: str, dependents: Sequence[str]) -> None:
        depend = "depends" if len(dependents) == 1 else "depend"
        super().__init__(
            f"Task '{name}' cannot be deleted: {', '.join(dependents)} {depend} on it. Change or delete them first."
        )
        self.dependents = tuple(dependents)
