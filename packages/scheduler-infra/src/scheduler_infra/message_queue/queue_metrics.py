"""What a process measures of its doorbell. Without a configured SDK these cost next to nothing."""

import weakref
from collections.abc import Iterable, Iterator
from typing import Protocol

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

_meter = metrics.get_meter("scheduler_infra.message_queue")


class MeasuredQueue(Protocol):
    """A message queue as the gauge sees it."""

    transport: str
    application_name: str

    @property
    def is_used(self) -> bool:
        """Whether anything has been rung or listened for yet: a queue connects only then."""

    @property
    def is_connected(self) -> bool:
        """See MessageQueue."""


_open: "weakref.WeakSet[MeasuredQueue]" = weakref.WeakSet()


def measure(queue: MeasuredQueue) -> None:
    """Have the gauge show a queue until `forget` or its end."""
    _open.add(queue)


def forget(queue: MeasuredQueue) -> None:
    """Show a queue no more: it was closed."""
    _open.discard(queue)


def observations(_options: CallbackOptions | None = None) -> Iterator[Observation]:
    """1 for each queue whose connections all stand, 0 for others that are in use."""
    for queue in list(_open):
        if queue.is_used:
            labels = {"transport": queue.transport, "component": queue.application_name}
            yield Observation(int(queue.is_connected), labels)


def _observe(options: CallbackOptions) -> Iterable[Observation]:
    return observations(options)


rings_sent = _meter.create_counter(
    "scheduler.rings.sent", unit="{ring}", description="Rings given to the message queue."
)
rings_dropped = _meter.create_counter(
    "scheduler.rings.dropped", unit="{ring}", description="Rings that were not sent, by reason."
)
rings_heard = _meter.create_counter(
    "scheduler.rings.heard", unit="{ring}", description="Rings that came from the message queue."
)
rings_refused = _meter.create_counter(
    "scheduler.rings.refused", unit="{message}", description="Messages that came and are no rings, by reason."
)
_meter.create_observable_gauge(
    "scheduler.message_queue.connected",
    callbacks=[_observe],
    description="1 while rings travel, 0 while the message queue is away and work is found by polling.",
)
