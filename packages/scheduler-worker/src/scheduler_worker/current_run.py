"""The run in which the calling code is executed."""

from contextvars import ContextVar

from scheduler_core.interfaces import RunContext

_current: ContextVar[RunContext | None] = ContextVar("scheduler_current_run", default=None)


def current_run() -> RunContext | None:
    """What the worker tells a python task of its run; None outside of a run. Threads see it only with their context."""
    return _current.get()


def enter_run(context: RunContext) -> None:
    """Make `context` the current run of this task or, in a child process, of what is called next."""
    _current.set(context)
