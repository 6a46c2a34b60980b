"""Doorbells that cannot be rung or heard."""

from scheduler_core.errors.scheduler_error import SchedulerError


class MessageQueueError(SchedulerError):
    """The message queue cannot be used as configured."""


class MessageQueueUnavailableError(MessageQueueError, ConnectionError):
    """The broker cannot be reached; only latency suffers while that lasts."""
