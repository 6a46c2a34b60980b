"""A call that is being carried out, as it can be told something."""

from scheduler_worker.current_run import StopToken
from scheduler_worker.executors.python_process import PythonChild


class LiveCall:
    """One run's call, whichever way it is carried out; belongs to the loop, but for `request_stop` of its token."""

    def __init__(self, token: StopToken) -> None:
        self.token = token
        self._child: PythonChild | None = None

    def take(self, child: PythonChild) -> None:
        """A child is at it from now on."""
        self._child = child
        if self.token.is_set():
            child.request_stop()

    def leave(self) -> None:
        """The child has answered or died."""
        self._child = None

    def request_stop(self) -> None:
        """Tell the function that it is to end."""
        self.token.set()
        if self._child is not None:
            self._child.request_stop()

    def pause(self) -> bool:
        """Let the function stand still; False when it has no process of its own, or none yet."""
        if self._child is None:
            return False
        self._child.pause()
        return True

    def resume(self) -> bool:
        """Let the function go on; see `pause`."""
        if self._child is None:
            return False
        self._child.resume()
        return True
