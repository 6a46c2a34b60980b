"""The flags that say how long a task's runs may take, and when failed ones are tried again."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Group, Parameter

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.dispatch_flags import DispatchFlags
from scheduler_core.errors import Problem

_TIME = Group("How long", sort_key=36)
_AGAIN = Group("Tried again (--retry flags replace what the task had of them)", sort_key=37)

_TIMES = ("timeout", "soft_timeout", "queue_timeout", "total_timeout")
_NUMBERS = {
    "retry_delay": "delay_seconds",
    "retry_multiplier": "multiplier",
    "retry_max_delay": "max_delay_seconds",
    "retry_jitter": "jitter",
}
_LISTS = {
    "retry_on_exit_code": "on_exit_codes",
    "retry_on_status": "on_statuses",
    "retry_on_exception": "on_exceptions",
    "retry_on_output": "on_output",
}


def _many(help_text: str) -> Parameter:
    return Parameter(group=_AGAIN, negative=(), show_default=False, help=f"{help_text} Can be repeated.")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunFlags(DispatchFlags):
    """The fields about time and retries that can be given as flags; None means that the flag was not given."""

    timeout: Annotated[
        str | None, Parameter(group=_TIME, help="Seconds that an attempt may take, or none for no limit [300].")
    ] = None
    soft_timeout: Annotated[
        str | None, Parameter(group=_TIME, help="Seconds after which a job is told to come to its end, or none [none].")
    ] = None
    queue_timeout: Annotated[
        str | None, Parameter(group=_TIME, help="Seconds that a run may wait for a worker, or none [none].")
    ] = None
    total_timeout: Annotated[
        str | None, Parameter(group=_TIME, help="Seconds for all attempts and the waits between, or none [none].")
    ] = None
    max_retries: Annotated[int | None, Parameter(group=_AGAIN, help="How often a failed run is tried again [0].")] = (
        None
    )
    retry_delay: Annotated[float | None, Parameter(group=_AGAIN, help="Seconds before the first retry [10].")] = None
    retry_multiplier: Annotated[
        float | None, Parameter(group=_AGAIN, help="How many times as long each further one waits; 1: as long [2].")
    ] = None
    retry_max_delay: Annotated[
        float | None, Parameter(group=_AGAIN, help="Seconds that a retry waits at most [3600].")
    ] = None
    retry_jitter: Annotated[
        float | None, Parameter(group=_AGAIN, help="Share by which a wait is varied either way [0.1].")
    ] = None
    retry_delays: Annotated[
        str | None, Parameter(group=_AGAIN, help="Instead: seconds before each retry, such as 1,5,30.")
    ] = None
    retry_on_exit_code: Annotated[tuple[int, ...], _many("Only programs that ended so.")] = ()
    retry_on_status: Annotated[tuple[int, ...], _many("Only HTTP responses with this status.")] = ()
    retry_on_exception: Annotated[tuple[str, ...], _many("Only exceptions of this class, dotted or not.")] = ()
    retry_on_output: Annotated[tuple[str, ...], _many("Only when a last line of output fits this pattern.")] = ()

    def run_fields(self) -> dict[str, Any]:
        """The given fields as the API names them; raises UsageError for what cannot be read."""
        problems: list[Problem] = []
        fields: dict[str, Any] = dict(self._times(problems))
        retry: dict[str, Any] = {
            field: value for flag, field in _NUMBERS.items() if (value := getattr(self, flag)) is not None
        }
        retry.update({field: list(given) for flag, field in _LISTS.items() if (given := getattr(self, flag))})
        if self.retry_delays is not None:
            retry["delays"] = _delays(self.retry_delays, problems)
        if problems:
            raise UsageError(problems)
        if self.max_retries is not None:
            fields["max_retries"] = self.max_retries
        return {**fields, **({"retry": retry} if retry else {})}

    def _times(self, problems: list[Problem]) -> Iterator[tuple[str, float | None]]:
        for name in _TIMES:
            text = getattr(self, name)
            if text is not None:
                yield f"{name}_seconds", _seconds(name, text, problems)


def _seconds(name: str, text: str, problems: list[Problem]) -> float | None:
    if text.lower() == "none":
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        flag = f"--{name.replace('_', '-')}"
        problems.append(Problem(flag, f"'{text}' must be a number of seconds above 0, or none."))
    return seconds


def _delays(text: str, problems: list[Problem]) -> list[float]:
    try:
        delays = [float(part) for part in text.split(",")]
    except ValueError:
        delays = [-1.0]
    if not all(0 <= delay < float("inf") for delay in delays):
        problems.append(Problem("--retry-delays", f"'{text}' must be numbers of seconds with commas: 1,5,30."))
    return delays
