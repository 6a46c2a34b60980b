"""The tasks of a simulation: from task files without any server, or as a server has them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.task_file import FileTask, place_problems, read_task_files
from scheduler_core.errors import Problem

if TYPE_CHECKING:
    from scheduler_api.client.api_client import ApiClient
    from scheduler_core.models import Schedule


class SimulatedTask(NamedTuple):
    """What decides on the slots of a task; `schedule` None: it has none."""

    namespace: str
    name: str
    schedule: "Schedule | None"
    seed: int


def tasks_of_files(files: Iterable[str]) -> list[SimulatedTask]:
    """The tasks of the files, judged by the server's own rules; raises UsageError with every problem of all files.

    What only a server knows is left open: the types of its workers, and tasks that are in no file.
    """
    from scheduler_api.schemas.task_input import read_task
    from scheduler_core.decisions.schedule_rules import schedule_seed

    listed = read_task_files(files)
    read = [read_task(task.definition, None, f"tasks.{index}.") for index, task in enumerate(listed)]
    problems = [problem for each in read for problem in each.problems] + _doubled(listed)
    if problems:
        raise UsageError(place_problems(problems, listed))
    definitions = [each.definition for each in read]
    return [SimulatedTask(d.namespace, d.name, d.schedule, schedule_seed(d.namespace, d.name)) for d in definitions]


def tasks_of_server(api: "ApiClient", names: Sequence[str], namespace: str | None) -> list[SimulatedTask]:
    """The named tasks as they are stored."""
    return [_stored_task(api.get("tasks", name, namespace=namespace)) for name in dict.fromkeys(names)]


def replaced(tasks: Sequence[SimulatedTask], what_if: Sequence[SimulatedTask]) -> list[SimulatedTask]:
    """The tasks with changed ones in the place of those of the same name, and new ones behind them.

    A task keeps its seed when it is changed, as on the server.
    """
    changed = {(task.namespace, task.name): task for task in what_if}
    result = []
    for task in tasks:
        new = changed.pop((task.namespace, task.name), None)
        result.append(task if new is None else new._replace(seed=task.seed))
    return [*result, *changed.values()]


def _stored_task(task: dict[str, Any]) -> SimulatedTask:
    from scheduler_api.schemas.schedule_input import read_schedule
    from scheduler_core.decisions.schedule_rules import schedule_seed

    namespace, name = str(task["namespace"]), str(task["name"])
    schedule, problems = read_schedule(task.get("schedule"))
    if problems:
        raise UsageError([Problem(f"task '{name}', {problem.field}", problem.message) for problem in problems])
    return SimulatedTask(namespace, name, schedule, task.get("schedule_seed", schedule_seed(namespace, name)))


def _doubled(listed: Sequence[FileTask]) -> list[Problem]:
    """Names that are given twice, once with the default namespace left out and once with it written."""
    first: dict[tuple[str, str], FileTask] = {}
    problems = []
    for index, task in enumerate(listed):
        key = (str(task.definition.get("namespace", "default")), str(task.definition.get("name")))
        earlier = first.setdefault(key, task)
        if earlier is not task:
            problems.append(
                Problem(f"tasks.{index}.name", f"is the name of a task in {earlier.file}, too. Rename one.")
            )
    return problems
