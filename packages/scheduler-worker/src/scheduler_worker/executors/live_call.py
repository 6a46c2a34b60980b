"""A call that is being carried out, as it can be told something."""

import asyncio

from scheduler_worker.current_run import StopToken
from scheduler_worker.executors.python_process import PythonChild


class LiveCall:
    """One run's call, whichever way it is carried out; belongs to the loop, but for `request_stop` of its token."""

    __slots__ = ("_child", "_expects_child", "_may_go", "token")

    def __init__(self, token: StopToken) -> None:
        self.token = token
        self._child: PythonChild | None = None
        self._expects_child = False
        # There while the function is to stand still.
        self._may_go: asyncio.Event | None = None

    def expect_child(self) -> None:
        """A child will be at it, as soon as one is free."""
        self._expects_child = True

    async def wait_while_paused(self) -> None:
        """Return when the call may begin: a function that is to stand still is not called before it may go on."""
        while self._may_go is not None:
            await self._may_go.wait()

    def take(self, child: PythonChild) -> None:
        """A child is at it from now on."""
        self._child = child
        if self.token.is_set():
            child.request_stop()

    def leave(self) -> None:
        """No child is at it any more, or will be."""
        self._child = None
        self._expects_child = False

    def request_stop(self) -> None:
        """Tell the function that it is to end."""
        self.token.set()
        if self._child is not None:
            self._child.request_stop()

    def pause(self) -> bool:
        """Let the function stand still, or not begin; False when it has no process of its own."""
        if not self._expects_child:
            return False
        self._may_go = self._may_go or asyncio.Event()
        if self._child is not None:
            self._child.pause()
        return True

    def resume(self) -> bool:
        """Let the function go on; see `pause`."""
        if not self._expects_child:
            return False
        if self._may_go is not None:
            self._may_go.set()
            self._may_go = None
        if self._child is not None:
            self._child.resume()
        return True
