"""What bodies say about dispatch into what core judges: times and sizes written as text become numbers."""

from collections.abc import Callable
from typing import Any

from scheduler_api.schemas.dispatch_schema import UniqueBody
from scheduler_api.schemas.object_reader import kind_of
from scheduler_core.decisions.duration_text import parse_duration, parse_kept_time
from scheduler_core.decisions.size_text import parse_size
from scheduler_core.errors import Problem
from scheduler_core.models import UniquePolicy

_LISTS = ("required_tags", "preferred_tags", "forbidden_tags", "limits")
SIZES = ("memory", "disk")
"""Resources that are counted in bytes."""

DISPATCH_FIELDS = (*_LISTS, "resources", "unique", "keep")
"""Fields of a task's body that are written otherwise than core has them."""


def read_dispatch(values: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Fields of a definition from those of a body, as far as they are given; and what of them cannot be used.

    >>> read_dispatch({"resources": {"memory": "2GB", "gpu": 1}, "keep": "30d"})[0]
    {'resources': {'memory': 2147483648.0, 'gpu': 1.0}, 'keep_seconds': 2592000.0}
    """
    problems: list[Problem] = []
    fields: dict[str, Any] = {name: tuple(values[name]) for name in _LISTS if name in values}
    if "resources" in values:
        fields["resources"] = _resources(values["resources"], problems)
    if "unique" in values:
        unique = values["unique"]
        fields["unique"] = None if unique is None else _unique(unique, problems)
    if "keep" in values:
        fields["keep_seconds"] = _seconds(values["keep"], "keep", problems, parse_kept_time)
    return fields, problems


def _resources(given: dict[str, Any], problems: list[Problem]) -> dict[str, float]:
    amounts = {}
    for name, amount in given.items():
        field = f"resources.{name[:50]}"
        if isinstance(amount, str) and name in SIZES:
            try:
                amounts[name] = parse_size(amount)
            except ValueError as error:
                problems.append(Problem(field, str(error)))
        elif isinstance(amount, int | float) and not isinstance(amount, bool):
            try:
                amounts[name] = float(amount)
            except OverflowError:
                problems.append(Problem(field, f"{name[:50]} is too large."))
        else:
            wanted = "a number of bytes or a size such as 2GB" if name in SIZES else "a number"
            problems.append(Problem(field, f"{name[:50]} is {wanted}, not {kind_of(amount)}."))
    return amounts


def _unique(given: UniqueBody, problems: list[Problem]) -> UniquePolicy:
    before = len(problems)
    times = {
        f"{name}_seconds": _seconds(getattr(given, name), f"unique.{name}", problems)
        for name in ("window", "debounce", "debounce_max", "throttle")
    }
    states = UniquePolicy().states if given.states is None else tuple(given.states)
    if len(problems) > before:  # what the times are to each other would only follow from that
        times = {}
    return UniquePolicy(key=given.key, states=states, **times)


def _seconds(
    given: float | str | None, field: str, problems: list[Problem], parse: Callable[[str], int] = parse_duration
) -> float | None:
    if not isinstance(given, str):
        return given
    try:
        return float(parse(given))
    except ValueError as error:
        problems.append(Problem(field, str(error)))
        return None
