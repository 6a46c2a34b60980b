"""Waits for runs to become final, and follows what they print meanwhile."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from scheduler_api.client.client_error import WaitTimeoutError
from scheduler_api.client.output import Output
from scheduler_api.client.waiting_notes import WaitingNotes
from scheduler_core.runtime.exit_code import ExitCode

if TYPE_CHECKING:
    from scheduler_api.client.api_client import ApiClient

POLL_SECONDS_FIRST = 0.1
POLL_SECONDS_MAX = 1.0
LOG_PAGE_ENTRIES = 1000

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


def read_log(api: "ApiClient", run_id: int | str) -> Iterator[dict[str, Any]]:
    """What a run has printed so far, piece by piece in the order of (attempt, sequence)."""
    yield from _LogReader(api, run_id).new_entries()


def follow_log(
    api: "ApiClient", run_id: int | str, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[dict[str, Any] | None]:
    """What a run prints, as it comes, until the run is final; None whenever it prints nothing new for the moment.

    Everything that was stored before the run became final is given out.
    """
    reader = _LogReader(api, run_id)
    pause = POLL_SECONDS_FIRST
    while True:
        # The status is read first: what a run prints is stored before it is reported as finished.
        ended = is_final(api.get("task-runs", run_id)["status"])
        printed = False
        for entry in reader.new_entries():
            printed = True
            yield entry
        if ended:
            return
        yield None
        pause = POLL_SECONDS_FIRST if printed else min(pause * 1.5, POLL_SECONDS_MAX)
        sleep(pause)


class _LogReader:
    """Reads on where it stopped: by the last cursor that the API gave, less what was seen on that page already."""

    def __init__(self, api: "ApiClient", run_id: int | str) -> None:
        self._api = api
        self._run_id = run_id
        self._cursor: str | None = None
        self._last = (0, 0)

    def new_entries(self) -> Iterator[dict[str, Any]]:
        while True:
            page = self._api.get("task-runs", self._run_id, "logs", cursor=self._cursor, limit=LOG_PAGE_ENTRIES)
            fresh = [entry for entry in page["items"] if (entry["attempt"], entry["sequence"]) > self._last]
            if fresh:
                self._last = (fresh[-1]["attempt"], fresh[-1]["sequence"])
            yield from fresh
            cursor = page.get("next_cursor")
            if cursor is None or (cursor == self._cursor and not fresh):
                return
            self._cursor = cursor


def _waiting_text(waiting: Sequence[int | str], runs: dict[int | str, dict[str, Any]]) -> str:
    return f"Waiting for {_named(waiting, runs)}"


def _named(waiting: Sequence[int | str], runs: dict[int | str, dict[str, Any]]) -> str:
    shown = ", ".join(
        f"run {run_id} ({runs[run_id]['status']})" if run_id in runs else f"run {run_id}" for run_id in waiting[:5]
    )
    return shown if len(waiting) <= 5 else f"{shown} and {len(waiting) - 5} more"
