"""Waits for runs to become final."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scheduler_api.client.client_error import WaitTimeoutError
from scheduler_api.client.output import Output
from scheduler_api.client.run_progress import progress_words
from scheduler_api.client.waiting_notes import WaitingNotes
from scheduler_core.runtime.exit_code import ExitCode

if TYPE_CHECKING:
    from scheduler_api.client.api_client import ApiClient

POLL_SECONDS_FIRST = 0.1
POLL_SECONDS_MAX = 1.0

_FINAL_CODES = {
    "COMPLETED": ExitCode.OK,
    "FAILED": ExitCode.RUN_FAILED,
    "QUARANTINED": ExitCode.RUN_FAILED,
    "CANCELLED": ExitCode.RUN_CANCELLED,
    "SKIPPED": ExitCode.RUN_CANCELLED,
    "TIMEOUT": ExitCode.RUN_TIMED_OUT,
}
_WORST_FIRST = (ExitCode.RUN_FAILED, ExitCode.RUN_TIMED_OUT, ExitCode.RUN_CANCELLED)


def is_final(status: str) -> bool:
    """Whether a run in this status never changes again."""
    return status in _FINAL_CODES


def exit_code_of(statuses: Iterable[str]) -> ExitCode:
    """What final statuses mean together: OK if all COMPLETED, else failed before timed out before cancelled.

    >>> exit_code_of(["COMPLETED", "TIMEOUT", "SKIPPED"]).name
    'RUN_TIMED_OUT'
    """
    codes = {_FINAL_CODES[status] for status in statuses}
    return next((code for code in _WORST_FIRST if code in codes), ExitCode.OK)


def wait_for_runs(
    api: "ApiClient",
    output: Output,
    run_ids: Sequence[int | str],
    *,
    timeout_seconds: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[dict[str, Any]]:
    """The runs, in the order of the ids, once all of them are final; why the first one waits is told after a while.

    Raises WaitTimeoutError, naming those that are not, after `timeout_seconds`.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    runs: dict[int | str, dict[str, Any]] = {}
    waiting = list(dict.fromkeys(run_ids))
    pause = POLL_SECONDS_FIRST
    notes = WaitingNotes(api, output)
    with output.progress(_waiting_text(waiting, runs)) as progress:
        while True:
            still = []
            for run_id in waiting:
                run = runs[run_id] = api.get("task-runs", run_id)
                if not is_final(run["status"]):
                    still.append(run_id)
            if len(still) < len(waiting):
                pause = POLL_SECONDS_FIRST
            waiting = still
            if not waiting:
                return [runs[run_id] for run_id in run_ids]
            progress.say(_waiting_text(waiting, runs))
            notes.look(waiting[0], runs[waiting[0]]["status"])
            left = float("inf") if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise WaitTimeoutError(
                    f"Not final after {timeout_seconds:g} s: {_named(waiting, runs)}. They go on; look with "
                    f"`scheduler run show {waiting[0]}`, or wait longer with `scheduler run wait`."
                )
            sleep(min(pause, left))
            pause = min(pause * 1.5, POLL_SECONDS_MAX)


def _waiting_text(waiting: Sequence[int | str], runs: dict[int | str, dict[str, Any]]) -> str:
    return f"Waiting for {_named(waiting, runs)}"


def _named(waiting: Sequence[int | str], runs: dict[int | str, dict[str, Any]]) -> str:
    shown = ", ".join(
        f"run {run_id} ({_state(runs[run_id])})" if run_id in runs else f"run {run_id}" for run_id in waiting[:5]
    )
    return shown if len(waiting) <= 5 else f"{shown} and {len(waiting) - 5} more"


def _state(run: Mapping[str, Any]) -> str:
    told = progress_words(run.get("progress"))
    return f"{run['status']}, {told}" if told and not is_final(run["status"]) else str(run["status"])
