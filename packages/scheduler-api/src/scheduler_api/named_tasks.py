"""The other tasks that definitions name: whether they exist, and what becomes of their names."""

from collections.abc import Sequence

from scheduler_api.schemas.task_input import raise_problems
from scheduler_core.decisions.nearest import hint
from scheduler_core.decisions.renaming import renamed
from scheduler_core.errors import ConflictError, InvalidInputError, Problem, TemplateError
from scheduler_core.interfaces import UnitOfWork
from scheduler_core.models import Task, TaskDefinition


async def check_named_tasks(
    work: UnitOfWork, definitions: Sequence[TaskDefinition], prefixes: Sequence[str] = ("",)
) -> None:
    """Raise InvalidInputError naming every task to depend on, or to run as a sub-flow, that there is not.

    It may be stored or among the definitions.
    """
    problems: list[Problem] = []
    for namespace in sorted({definition.namespace for definition in definitions}):
        placed = [(d, prefix) for d, prefix in zip(definitions, prefixes, strict=True) if d.namespace == namespace]
        wanted = {name for definition, _ in placed for _, name in _named(definition)}
        wanted -= {definition.name for definition, _ in placed}
        found = {task.name for task in await work.tasks.get_many(sorted(wanted), namespace)} if wanted else set()
        missing = wanted - found
        if not missing:
            continue
        known = {definition.name for definition, _ in placed} | {n.name for n in await work.tasks.graph(namespace)}
        problems += [
            Problem(
                f"{prefix}{field}",
                f"There is no task '{name}' in namespace '{namespace}' {_PURPOSE[field]}."
                f"{hint(name, known - {definition.name})}",
            )
            for definition, prefix in placed
            for field, name in _named(definition)
            if name in missing
        ]
    raise_problems(problems)


def names_tasks(definition: TaskDefinition) -> bool:
    """Whether a definition names another task at all."""
    return bool(definition.dependencies) or definition.sub_flow is not None


async def rename_in_dependents(work: UnitOfWork, task: Task, old_name: str) -> None:
    """Let the definitions of those who name a renamed task say its new name, in their templates, too.

    Raises ConflictError, to be tried again, when one of them was changed meanwhile, and InvalidInputError when one
    names the task in a way that cannot be followed.
    """
    names = await work.tasks.dependents_of(task.id)
    if not names:
        return
    dependents = await work.tasks.get_many(names, task.namespace)
    definitions = [_renamed(dependent, old_name, task.name) for dependent in dependents]
    # Their schedules stay, and keep the due instants that are stored.
    updated = await work.tasks.update([d.id for d in dependents], definitions, [None] * len(dependents))
    for old, new in zip(dependents, updated, strict=True):
        check_unchanged(old, new)


def check_unchanged(read: Task, updated: Task) -> None:
    """Raise ConflictError, to be tried again, when somebody else changed a task between its reading and its update."""
    if updated.version != read.version + 1:
        raise ConflictError(f"Task '{read.name}' was changed by somebody else at the same time. Try again.")


def _renamed(dependent: Task, old_name: str, new_name: str) -> TaskDefinition:
    try:
        return renamed(dependent.definition(), old_name, new_name)
    except TemplateError as error:
        told = (
            f"Task '{dependent.name}' cannot follow the new name in {error.expression[:100]!r}: {error.reason} "
            "Change that first."
        )
        raise InvalidInputError([Problem("name", told)]) from error


_PURPOSE = {"dependencies": "to depend on", "sub_flow": "whose flow could be run"}


def _named(definition: TaskDefinition) -> list[tuple[str, str]]:
    """Field and name of every other task, each once, in the order of the definition."""
    names = (each if isinstance(each, str) else each.task for each in definition.dependencies)
    sub_flow = [("sub_flow", definition.sub_flow)] if definition.sub_flow is not None else []
    return [*(("dependencies", name) for name in dict.fromkeys(names)), *sub_flow]
