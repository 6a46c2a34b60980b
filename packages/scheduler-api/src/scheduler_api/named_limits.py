"""The limits that definitions of tasks name: whether they exist."""

from collections.abc import Collection, Sequence

from scheduler_api.schemas.task_input import raise_problems
from scheduler_core.decisions.nearest import hint
from scheduler_core.errors import Problem
from scheduler_core.interfaces import UnitOfWork
from scheduler_core.models import TaskDefinition

_KNOWN_MAX = 1000


async def check_named_limits(
    work: UnitOfWork,
    definitions: Sequence[TaskDefinition],
    prefixes: Sequence[str] = ("",),
    coming: Collection[tuple[str, str]] = (),
) -> None:
    """Raise InvalidInputError naming every limit that there is not; `coming` are (namespace, name) of new ones."""
    problems: list[Problem] = []
    for namespace in sorted({definition.namespace for definition in definitions if definition.limits}):
        placed = [(d, prefix) for d, prefix in zip(definitions, prefixes, strict=True) if d.namespace == namespace]
        wanted = {name for definition, _ in placed for name in definition.limits}
        wanted -= {name for space, name in coming if space == namespace}
        missing = wanted - {limit.name for limit in await work.limits.get_many(sorted(wanted), namespace)}
        if not missing:
            continue
        known = {limit.name for limit in await work.limits.page(namespace, limit=_KNOWN_MAX)}
        known |= {name for space, name in coming if space == namespace}
        problems += [
            Problem(
                f"{prefix}limits",
                f"There is no limit '{name}' in namespace '{namespace}'.{hint(name, known)} Create it with "
                f"`scheduler limit create {name} --concurrent N`, or declare it beside the task.",
            )
            for definition, prefix in placed
            for name in definition.limits
            if name in missing
        ]
    raise_problems(problems)
