"""System statistics in Prometheus' text format."""

from collections.abc import Iterator, Mapping

from scheduler_core.models import SystemStatistics
from scheduler_core.models.system import DispatchStatistics


def gauges_text(statistics: SystemStatistics | None, dispatch: DispatchStatistics | None = None) -> str:
    """Gauges of the whole system; None, when the database cannot be asked, gives only that it is away.

    >>> gauges_text(None).splitlines()[-1]
    'scheduler_database_up 0'
    """
    return "\n".join([*_lines(statistics), *(_dispatch_lines(dispatch) if dispatch is not None else ())]) + "\n"


def message_queue_text(*, is_up: bool) -> str:
    """The gauge of the message queue, as this process sees it.

    >>> message_queue_text(is_up=False).splitlines()[-1]
    'scheduler_message_queue_up 0'
    """
    explanation = "Whether the message queue takes rings; without it work is found by polling."
    return "\n".join(_gauge("message_queue_up", explanation, int(is_up))) + "\n"


def _lines(statistics: SystemStatistics | None) -> Iterator[str]:
    yield from _gauge("database_up", "Whether the database answered.", 0 if statistics is None else 1)
    if statistics is None:
        return
    yield from _by_status("tasks", "Tasks by status.", statistics.tasks_by_status)
    yield from _by_status("runs_active", "Runs that are not final, by status.", statistics.runs_active_by_status)
    yield from _by_status(
        "runs_finished_last_hour",
        "Runs that became final in the last hour.",
        statistics.runs_finished_last_hour_by_status,
    )
    yield from _gauge("workers_alive", "Worker sessions that are alive.", statistics.workers_alive)
    yield from _gauge("worker_places", "Places of live workers.", statistics.places_total)
    yield from _gauge("worker_places_taken", "Places of live workers that hold a run.", statistics.places_taken)
    yield from _gauge(
        "oldest_dispatched_seconds",
        "How long the oldest claimable run has waited; 0 when none waits.",
        statistics.oldest_dispatched_seconds or 0,
    )
    yield from _gauge(
        "oldest_due_schedule_seconds",
        "How late the oldest due schedule is; 0 when none is late.",
        statistics.oldest_due_schedule_seconds or 0,
    )


def _dispatch_lines(dispatch: DispatchStatistics) -> Iterator[str]:
    by_class = (
        ("gated_runs_waiting", "Runs that wait for their turn, by class.", dispatch.waiting_by_class),
        ("gated_runs_claimable", "Claimable runs that had their turn, by class.", dispatch.claimable_by_class),
    )
    for name, explanation, counts in by_class:
        yield from _head(name, explanation)
        for stream_class, count in counts.items():
            yield f'scheduler_{name}{{class="{stream_class.value.lower()}"}} {count}'
    by_limit = (
        ("limit_permits_held", "Permits that running attempts hold, by limit."),
        ("limit_runs_waiting", "Runs that wait for their turn and need a permit, by limit."),
    )
    for place, (name, explanation) in enumerate(by_limit):
        yield from _head(name, explanation)
        for (namespace, limit), numbers in sorted(dispatch.limits.items()):
            yield f'scheduler_{name}{{namespace="{namespace}",limit="{limit}"}} {numbers[place]}'


def _gauge(name: str, explanation: str, value: float) -> Iterator[str]:
    yield from _head(name, explanation)
    yield f"scheduler_{name} {value:g}" if isinstance(value, float) else f"scheduler_{name} {value}"


def _by_status(name: str, explanation: str, counts: Mapping[str, int]) -> Iterator[str]:
    yield from _head(name, explanation)
    for status in sorted(counts):
        yield f'scheduler_{name}{{status="{status}"}} {counts[status]}'


def _head(name: str, explanation: str) -> Iterator[str]:
    yield f"# HELP scheduler_{name} {explanation}"
    yield f"# TYPE scheduler_{name} gauge"
