"""What a definition says about the tasks that it waits for, judged by itself; other tasks are judged by flow_rules."""

from collections import Counter
from collections.abc import Iterator

from scheduler_core.decisions.interval_text import IntervalKind, dependency_problems, parse_interval
from scheduler_core.decisions.name_rules import could_be_name
from scheduler_core.errors import Problem
from scheduler_core.models import Dependency, TaskDefinition, flow_dependencies, interval_dependencies

DEPENDENCIES_MAX = 500


def check_dependencies(definition: TaskDefinition) -> Iterator[Problem]:
    """Everything that is wrong with the dependencies; fields of one of them begin with ``dependencies.N``, N from 0."""
    dependencies = definition.dependencies
    names, intervals = flow_dependencies(dependencies), interval_dependencies(dependencies)
    if names and definition.schedule is not None:
        yield Problem(
            "dependencies",
            "A task with dependencies runs when they have completed, so it cannot have a schedule of its own. "
            "Remove the schedule, or the dependencies, or say on which interval it depends.",
        )
    if intervals and not names and definition.schedule is None:
        yield Problem(
            "dependencies",
            f"A dependency on an interval of '{intervals[0].task[:50]}' needs a slot of the task's own. Give the task "
            "a schedule, or a dependency within a flow that has one.",
        )
    if len(dependencies) > DEPENDENCIES_MAX:
        yield Problem(
            "dependencies",
            f"{len(dependencies)} dependencies are named; at most {DEPENDENCIES_MAX} are allowed in one task.",
        )
        return
    if definition.name in names:
        yield Problem("dependencies", f"'{definition.name[:50]}' cannot depend on itself.")
    for name in sorted(name for name, count in Counter(names).items() if count > 1):
        yield Problem("dependencies", f"'{name[:50]}' is named more than once.")
    pairs = Counter((each.task, each.interval) for each in intervals)
    for task, interval in sorted(pair for pair, count in pairs.items() if count > 1):
        yield Problem("dependencies", f"'{task[:50]}' is named more than once with the interval {interval[:50]}.")
    for name in dict.fromkeys((*names, *(each.task for each in intervals))):
        if not could_be_name(name):
            yield Problem("dependencies", f"{name[:50]!a} cannot be the name of a task.")
    for place, each in enumerate(dependencies):
        if isinstance(each, Dependency):
            yield from _check_interval(definition, each, f"dependencies.{place}")


def _check_interval(definition: TaskDefinition, dependency: Dependency, field: str) -> Iterator[Problem]:
    problems = dependency_problems(dependency)
    for problem in problems:
        yield Problem(f"{field}.{problem.field}", problem.message)
    if dependency.task != definition.name or any(problem.field == "interval" for problem in problems):
        return
    if parse_interval(dependency.interval).kind is not IntervalKind.PREVIOUS:
        yield Problem(
            f"{field}.interval",
            f"'{definition.name[:50]}' would wait for its own slot with interval '{dependency.interval}', which never "
            "ends. Use previous:1 for the slot before.",
        )
