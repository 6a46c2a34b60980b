"""What a python function may raise to say how its run is to end."""

import math

_SECONDS_MAX = 366 * 86_400.0


class RetryLater(Exception):  # noqa: N818 - not an error: what the function asks for
    """The attempt failed and is to be made again after `seconds`, whatever the task's policy says of delays."""

    def __init__(self, seconds: float, reason: str = "") -> None:
        if not (math.isfinite(seconds) and 0 <= seconds <= _SECONDS_MAX):
            raise ValueError(f"seconds is {seconds!r}. Give RetryLater 0 to {_SECONDS_MAX:g} seconds, at most a year")
        super().__init__(seconds, reason)
        self.seconds = float(seconds)
        self.reason = str(reason)

    def __str__(self) -> str:
        return f"The job asked to be tried again in {self.seconds:g} s" + (f": {self.reason}" if self.reason else ".")


class SkipRun(Exception):  # noqa: N818
    """There was nothing to do: the run is SKIPPED."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(str(reason) or "The job had nothing to do.")


class FailRun(Exception):  # noqa: N818
    """The run has FAILED, and to try again would be useless."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(str(reason) or "The job asked to fail without another attempt.")


class RunStopped(BaseException):
    """The run is to end; like KeyboardInterrupt it passes by `except Exception`."""
