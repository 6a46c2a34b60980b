"""Dependencies of bodies and task files into those that core judges."""

from collections.abc import Iterable
from typing import NamedTuple

from scheduler_api.schemas.dependency_schema import DependencyBody
from scheduler_core.decisions.duration_text import parse_duration
from scheduler_core.errors import Problem
from scheduler_core.models import Dependency

_OF_INTERVALS = ("condition", "deadline", "on_unmet")


class ReadDependencies(NamedTuple):
    """The dependencies, and what of them cannot be used."""

    dependencies: tuple[str | Dependency, ...]
    problems: list[Problem]


def read_dependencies(given: Iterable[str | DependencyBody]) -> ReadDependencies:
    """What was written, as core knows it; a name in an object is the same as the name alone.

    >>> read_dependencies([DependencyBody(task="b"), DependencyBody(task="c", interval="latest", deadline="1h")])[0]
    ('b', Dependency(task='c', interval='latest', condition='success', deadline=3600, on_unmet=<OnUnmet.SKIP: 'skip'>))
    """
    problems: list[Problem] = []
    read = [
        each if isinstance(each, str) else _read(each, f"dependencies.{place}", problems)
        for place, each in enumerate(given)
    ]
    return ReadDependencies(tuple(read), problems)


def _read(given: DependencyBody, field: str, problems: list[Problem]) -> str | Dependency:
    if given.interval is None:
        problems += [
            Problem(
                f"{field}.{name}",
                f"{name} is for dependencies on an interval. Name the interval, such as contained; for '{given.task}' "
                "in the same flow set trigger_rule instead.",
            )
            for name in _OF_INTERVALS
            if getattr(given, name) is not None
        ]
        return given.task
    further = {name: getattr(given, name) for name in ("condition", "on_unmet") if getattr(given, name) is not None}
    return Dependency(
        task=given.task,
        interval=given.interval,
        deadline=_seconds(given.deadline, f"{field}.deadline", problems),
        **further,
    )


def _seconds(given: int | str | None, field: str, problems: list[Problem]) -> int | None:
    if not isinstance(given, str):
        return given
    try:
        return parse_duration(given)
    except ValueError as error:
        problems.append(Problem(field, str(error)))
        return None
