"""The gauge shows queues that are in use and open, and nothing of others."""

from scheduler_infra.message_queue import MessageQueueConfig, open_message_queue, queue_metrics


class FakeQueue:
    """A queue in a chosen state."""

    transport = "redis"
    application_name = "scheduler test"

    def __init__(self) -> None:
        self.is_used = False
        self.is_connected = False


def _shown() -> list[tuple[float, object]]:
    found = [(each.value, dict(each.attributes or {})) for each in queue_metrics.observations()]
    return [(value, labels) for value, labels in found if labels["component"] == "scheduler test"]


def test_gauge_follows_a_queue_from_its_first_use_to_its_end() -> None:
    """Not shown before its first use, then 0 or 1, and not shown once it is closed."""
    queue = FakeQueue()
    queue_metrics.measure(queue)
    assert _shown() == []
    queue.is_used = True
    labels = {"transport": "redis", "component": "scheduler test"}
    assert _shown() == [(0, labels)]
    queue.is_connected = True
    assert _shown() == [(1, labels)]
    queue_metrics.forget(queue)
    assert _shown() == []


async def test_gauge_shows_a_real_queue_that_cannot_connect() -> None:
    """A queue whose broker is away shows 0 from the first ring on, and is gone after close."""
    config = MessageQueueConfig(url="redis://127.0.0.1:1", connect_timeout_seconds=0.1, io_timeout_seconds=0.1)
    queue = open_message_queue(config, database_url="", application_name="scheduler test")
    await queue.ring(["session-1"])
    assert [value for value, _ in _shown()] == [0]
    await queue.close()
    assert _shown() == []
