"""Bodies of limits into definitions: types first, then every rule of core, all problems at once."""

from typing import Any, NamedTuple

import msgspec

from scheduler_api.schemas.limit_schema import READ_ONLY_LIMIT_FIELDS, LimitBody
from scheduler_api.schemas.object_reader import read_object
from scheduler_core.decisions.limit_check import check_limit
from scheduler_core.decisions.rate_text import parse_rate
from scheduler_core.errors import Problem
from scheduler_core.models import LimitDefinition


class ReadLimit(NamedTuple):
    """A definition, and everything that is wrong with it; with problems it must not be stored."""

    definition: LimitDefinition
    problems: list[Problem]


def read_limit(document: Any, path: str = "") -> ReadLimit:
    """A whole definition."""
    values, problems = read_object(document, LimitBody, path=path, read_only=READ_ONLY_LIMIT_FIELDS)
    if not isinstance(document, dict):
        return ReadLimit(LimitDefinition(name="unnamed"), problems)
    fields = _fields(document, values, path, problems, None)
    definition = LimitDefinition(**{"name": "unnamed", **fields})
    return ReadLimit(definition, problems + _news(problems, definition, path))


def read_limit_replacement(document: Any, before: LimitDefinition) -> ReadLimit:
    """A whole new definition of a limit that is there; its name and namespace stay."""
    if isinstance(document, dict) and "namespace" not in document:
        document = {**document, "namespace": before.namespace}
    return _staying(read_limit(document), before)


def read_limit_changes(document: Any, before: LimitDefinition) -> ReadLimit:
    """What a definition becomes when the fields that are given are replaced."""
    values, problems = read_object(document, LimitBody, partial=True, read_only=READ_ONLY_LIMIT_FIELDS)
    if not isinstance(document, dict):
        return ReadLimit(before, problems)
    fields = _fields(document, values, "", problems, before.rate)
    if fields.get("rate", 0) is None:
        # What goes with a rate goes with it.
        fields = {"rate_seconds": LimitDefinition(name="").rate_seconds, "burst": None, **fields}
    definition = msgspec.structs.replace(before, **fields)
    return _staying(ReadLimit(definition, problems + _news(problems, definition)), before)


def _fields(
    document: dict[str, Any], values: dict[str, Any], path: str, problems: list[Problem], rate_before: int | None
) -> dict[str, Any]:
    """Fields of a definition; a rate that is a number alone is refused, unless there was a rate whose time stays."""
    is_timed = document.get("rate_seconds") is not None
    fields = {name: value for name, value in values.items() if name != "rate_seconds" or value is not None}
    rate = fields.get("rate", rate_before)
    if not isinstance(rate, str):
        time_stays = rate_before is not None and "rate_seconds" not in document
        if rate is not None and rate >= 1 and not is_timed and not time_stays:
            message = (
                f"The rate {rate} does not say within which time. Write it as text, such as {rate}/min, or give "
                "rate_seconds beside it."
            )
            problems.append(Problem(f"{path}rate_seconds", message))
        return fields
    try:
        fields["rate"], fields["rate_seconds"] = parse_rate(rate)
    except ValueError as error:
        problems.append(Problem(f"{path}rate", str(error)))
        del fields["rate"]
    if is_timed:
        message = f"The rate {rate[:50]!a} says its time itself. Leave rate_seconds out, or give rate as a number."
        problems.append(Problem(f"{path}rate_seconds", message))
    return fields


def _staying(read: ReadLimit, before: LimitDefinition) -> ReadLimit:
    problems = list(read.problems)
    if read.definition.name != before.name and not any(each.field == "name" for each in problems):
        told = f"A limit keeps its name, here '{before.name}', because tasks name it. Create another limit instead."
        problems.append(Problem("name", told))
    if read.definition.namespace != before.namespace and not any(each.field == "namespace" for each in problems):
        told = f"A limit stays in its namespace, here '{before.namespace}'. Create a limit in the other one instead."
        problems.append(Problem("namespace", told))
    return ReadLimit(read.definition, problems)


def _news(told: list[Problem], definition: LimitDefinition, path: str = "") -> list[Problem]:
    """What is wrong beside the fields that could not be read and what only follows from those."""
    unreadable = {problem.field.removeprefix(path).partition(".")[0] for problem in told}
    if "rate" in unreadable:
        unreadable |= {"rate_seconds", "burst"}
        if definition.concurrent is None:  # that it limits nothing
            unreadable.add("concurrent")
    judged = check_limit(definition)
    return [Problem(f"{path}{each.field}", each.message) for each in judged if each.field not in unreadable]
