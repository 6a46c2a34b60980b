"""Tells workers to take nothing new, and waits until they hold nothing."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scheduler_api.client.client_error import WaitTimeoutError
from scheduler_api.client.output import Output
from scheduler_api.client.run_waiting import POLL_SECONDS_FIRST, POLL_SECONDS_MAX

if TYPE_CHECKING:
    from scheduler_api.client.api_client import ApiClient

_PAGE_ITEMS = 200


def alive_worker_ids(api: "ApiClient") -> list[str]:
    """The workers that are alive, the oldest first."""
    pages = api.pages("workers", alive="true", limit=_PAGE_ITEMS)
    return [str(worker["worker_id"]) for page in pages for worker in page["items"]][::-1]


def wait_until_empty(
    api: "ApiClient",
    output: Output,
    worker_ids: Sequence[str],
    *,
    timeout_seconds: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Mapping[str, Any]]:
    """The workers, in the order of the ids, once none of them holds a run.

    Raises WaitTimeoutError, naming those that do, after `timeout_seconds`.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    workers: dict[str, Mapping[str, Any]] = {}
    pause = POLL_SECONDS_FIRST
    with output.progress("Waiting for the workers' runs") as progress:
        while True:
            busy = []
            for worker_id in worker_ids:
                if worker_id not in workers or workers[worker_id]["running"]:
                    workers[worker_id] = api.get("workers", worker_id)
                    if workers[worker_id]["running"]:
                        busy.append(f"{worker_id} ({workers[worker_id]['running']})")
            if not busy:
                return [workers[worker_id] for worker_id in worker_ids]
            progress.say(f"Waiting for the runs of {', '.join(busy[:5])}")
            left = float("inf") if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise WaitTimeoutError(
                    f"Still with runs after {timeout_seconds:g} s: {', '.join(busy)}. They take nothing new; see what "
                    "they hold with `scheduler worker show`, or wait longer with `scheduler worker drain --wait`."
                )
            sleep(min(pause, left))
            pause = min(pause * 1.5, POLL_SECONDS_MAX)
