"""Whether what templates take from a run upstream can ever be there, judged by the type of its task."""

from collections.abc import Mapping
from typing import NamedTuple

from scheduler_core.decisions.nearest import hint
from scheduler_core.models import FlowOptions, TaskDefinition

_RESULT_KEYS: Mapping[str, tuple[str, ...]] = {
    "shell": ("exit_code",),
    "http": ("status", "headers", "body", "extracted", "is_truncated"),
}


class UpstreamUse(NamedTuple):
    """A field that takes upstream.NAME.results (`kind` results), or upstream.NAME.result.KEY (`kind` result)."""

    field: str
    name: str
    kind: str
    key: str | None = None


def uses_of(definition: TaskDefinition) -> list[UpstreamUse]:
    """What a definition without problems takes from the runs upstream, as far as it must be there; each once."""
    fields = (definition.when, definition.map_over, definition.parameters)
    if not any("upstream" in str(each) for each in fields):
        return []
    from scheduler_core.decisions.templating.uses import upstream_uses

    return upstream_uses(definition)


def use_problem(use: UpstreamUse, task_type: str, options: FlowOptions) -> str | None:
    """Why what is taken can never be there; None when it may be.

    >>> use_problem(UpstreamUse("when", "a", "result", "rows"), "shell", FlowOptions())
    "upstream.a.result has no 'rows': a shell task gives exit_code."
    """
    if use.kind == "results":
        if options.is_group:
            return None
        return f"'{use.name}' is a single run, which has a result and no results. Use upstream.{use.name}.result."
    known = _RESULT_KEYS.get(task_type)
    if options.is_group or known is None or use.key is None or use.key in known:
        return None
    article = "an" if task_type == "http" else "a"
    return (
        f"upstream.{use.name}.result has no '{use.key[:50]}': {article} {task_type} task gives {', '.join(known)}."
        f"{hint(use.key, known) if len(known) > 1 else ''}"
    )
