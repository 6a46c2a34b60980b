"""Doorbells over PostgreSQL, RabbitMQ or Redis, chosen by the scheme of a URL; no message here carries work."""

from scheduler_infra.message_queue.message_queue_config import MessageQueueConfig
from scheduler_infra.message_queue.queue_opening import open_message_queue

__all__ = ["MessageQueueConfig", "open_message_queue"]
