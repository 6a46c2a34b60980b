"""One component under the eyes of the runner."""

import asyncio
from collections.abc import Callable

from scheduler_core.errors import ComponentFailedError
from scheduler_core.interfaces import Component


class SupervisedComponent:
    """Runs a component, and knows whether it is ready, has ended, and why."""

    def __init__(self, component: Component, report: Callable[[str, str], None]) -> None:
        self._component = component
        self._report = report
        self._is_cancelled = False
        self.ready = asyncio.Event()
        self.stopping = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.failure: BaseException | None = None

    @property
    def name(self) -> str:
        """The component's name."""
        return self._component.name

    @property
    def has_ended(self) -> bool:
        """Whether it was started and is over."""
        return self.task is not None and self.task.done()

    def cancel(self) -> None:
        """Make it leave now."""
        self._is_cancelled = True
        if self.task is not None:
            self.task.cancel()

    async def run(self) -> None:
        """Run it to its end; an end that nobody asked for, and every exception, is kept in `failure`."""
        try:
            await self._component.run(self._say_ready, self.stopping)
        except asyncio.CancelledError:
            if self._is_cancelled or self._was_cancelled_from_outside():
                raise
            self.failure = ComponentFailedError(self.name, "it cancelled itself. Please report this as a defect.")
        # SystemExit too: a library that calls sys.exit must not take the other components with it.
        except (Exception, SystemExit) as error:
            self.failure = error
        else:
            if not self.stopping.is_set():
                self.failure = ComponentFailedError(
                    self.name, "it ended although nobody asked it to. Its last log lines should say why."
                )

    def _say_ready(self, line: str) -> None:
        if not self.ready.is_set():
            self.ready.set()
            self._report(self.name, line)

    @staticmethod
    def _was_cancelled_from_outside() -> bool:
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
