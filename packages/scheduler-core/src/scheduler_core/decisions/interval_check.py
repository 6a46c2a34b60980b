"""Whether a dependency on an interval can ever be fulfilled, judged by the schedules of both tasks."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from scheduler_core.decisions.interval_rules import never_holds
from scheduler_core.decisions.link_rules import IntervalEdge, roots_of
from scheduler_core.models import Dependency, Schedule, Task, TaskGraph


class IntervalCheck:
    """Judges the edges of one graph at one instant; many that are alike cost little more than one.

    `tasks` are the ends of the edges and where their flows begin, by id.
    """

    def __init__(self, graph: TaskGraph, tasks: Mapping[int, Task], now: datetime) -> None:
        self._graph = graph
        self._tasks = tasks
        self._now = now
        self._judged: dict[tuple[Dependency, Schedule, int, Schedule, int], str | None] = {}
        self._scheduled: dict[int, list[tuple[Task, Schedule]]] = {}

    def problems(self, edge: IntervalEdge) -> Iterator[str]:
        """Why it can never be fulfilled, as sentences; none when it can.

        A task without a schedule has the slots of those with which its flows begin; who is waited for has one such.
        """
        task, upstream = self._tasks[edge.task_id], self._tasks[edge.upstream_id]
        words = f"'{task.name}' waits for the interval {edge.dependency.interval} of '{upstream.name}', "
        waiting, awaited = self._schedules_of(task), self._schedules_of(upstream)
        if not waiting:
            roots = [self._graph[root].name for root in roots_of(self._graph, task.id)]
            yield (
                f"{words}but no flow that '{task.name}' belongs to starts on a schedule. Give a schedule to "
                f"{_quoted(roots, 'or')}."
            )
        if len(awaited) != 1:
            names = [root.name for root, _ in awaited]
            told = f"begins with {_quoted(names, 'and')}" if names else "has none, either"
            yield (
                f"{words}which has no schedule, and its flow {told}: its slots are those of one schedule. Depend on a "
                "task that has one."
            )
            return
        for root, schedule in waiting:
            reason = self._never_holds(edge.dependency, root, schedule, *awaited[0])
            if reason is not None:
                whose = "" if root.id == task.id else f" (on the schedule of '{root.name}')"
                yield f"{words}which can never hold{whose}: {reason}"

    def _schedules_of(self, task: Task) -> list[tuple[Task, Schedule]]:
        if task.id not in self._scheduled:
            roots = [self._tasks[root] for root in roots_of(self._graph, task.id) if root in self._tasks]
            owners = [task] if task.schedule is not None else roots
            self._scheduled[task.id] = [(each, each.schedule) for each in owners if each.schedule is not None]
        return self._scheduled[task.id]

    def _never_holds(
        self, dependency: Dependency, task: Task, schedule: Schedule, upstream: Task, awaited: Schedule
    ) -> str | None:
        key = (dependency, schedule, _seed(task, schedule), awaited, _seed(upstream, awaited))
        if key not in self._judged:
            self._judged[key] = never_holds(*key, self._now)
        return self._judged[key]


def _seed(task: Task, schedule: Schedule) -> int:
    """The seed of a schedule that leaves anything to it, so that all others are alike."""
    crons = [each.cron or "" for each in (schedule, *(schedule.any or ()))]
    return task.schedule_seed if schedule.jitter or any("H" in cron.upper() for cron in crons) else 0


def _quoted(names: Sequence[str], joint: str) -> str:
    return f" {joint} ".join(f"'{name}'" for name in names)
