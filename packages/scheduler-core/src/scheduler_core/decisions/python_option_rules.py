"""Where a python task's function is called, and how much memory it may take."""

from collections.abc import Iterator, Mapping
from typing import Any

from scheduler_core.decisions.nearest import hint
from scheduler_core.decisions.size_text import parse_size

ISOLATIONS = ("process", "thread", "async")
PYTHON_OPTIONS = ("isolation", "caps")
_CAP_BYTES_MIN = 64 * 1024**2


def python_option_problems(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with `isolation` and `caps`: the parameter and a sentence each.

    >>> list(python_option_problems({"isolation": "process", "caps": {"memory": "512MB"}}))
    []
    """
    isolation, caps = parameters.get("isolation"), parameters.get("caps")
    if isolation is not None and isolation not in ISOLATIONS:
        near = hint(isolation, ISOLATIONS) if isinstance(isolation, str) else ""
        yield "isolation", f"{isolation!r:.80} is no isolation. Use {', '.join(ISOLATIONS)}, or leave it out.{near}"
    if caps is None:
        return
    if not isinstance(caps, Mapping):
        yield "caps", f'caps is an object such as {{"memory": "512MB"}}, not {caps!r:.80}.'
        return
    for name in caps:
        if name != "memory":
            yield "caps", f"caps of a python task has no {name!r:.80}. It knows memory."
    if caps and isolation in ("thread", "async"):
        yield "caps", f"caps needs a process of its own, and isolation is {isolation}. Use process, or remove caps."
    if (problem := _memory_problem(caps.get("memory"))) is not None:
        yield "caps", problem


def _memory_problem(memory: Any) -> str | None:
    if memory is None:
        return None
    if isinstance(memory, bool) or not isinstance(memory, int | str):
        return f'caps.memory is {memory!r:.80}. Write a size such as "512MB", or a number of bytes.'
    try:
        size = parse_size(str(memory))
    except ValueError as error:
        return f"caps.memory cannot be used: {error}"
    if not _CAP_BYTES_MIN <= size < 2**62:
        return f"caps.memory is {memory!r:.80}. Give 64MB or more: python alone needs that."
    return None
