"""What is said of runs that do not begin: at once when their task is paused, and while they are waited for."""

import time
from typing import TYPE_CHECKING, Any

from scheduler_api.client.client_error import ClientError
from scheduler_api.client.output import Output

if TYPE_CHECKING:
    from scheduler_api.client.api_client import ApiClient

LOOK_SECONDS = 5.0
"""How long a run may wait before it is told why, and how often that is looked at."""
_WAITING = ("PENDING", "DISPATCHED")


def note_paused(api: "ApiClient", output: Output, run_id: int, status: str = "PENDING") -> None:
    """Say that a new run begins only when its task is resumed, if that is so."""
    if output.quiet or status != "PENDING":
        return
    for blocker in _blockers(api, run_id):
        if blocker["code"] == "PAUSED":
            output.note(f"{blocker['message']} Run {run_id} starts when it is resumed. {blocker['clears']}")


class WaitingNotes:
    """Says why a run that is waited for does not begin, once for each reason."""

    def __init__(self, api: "ApiClient", output: Output) -> None:
        self._api = api
        self._output = output
        self._next_look = time.monotonic() + LOOK_SECONDS
        self._told: tuple[Any, ...] | None = None

    @property
    def is_due(self) -> bool:
        """Whether it is time to look."""
        return not self._output.quiet and time.monotonic() >= self._next_look

    def look(self, run_id: int | str, status: str) -> None:
        """Tell the first thing that keeps a run from running, if there is one and it was not told before."""
        if not self.is_due:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        blockers = _blockers(self._api, run_id) if status in _WAITING else []
        first = next((blocker for blocker in blockers if blocker["blocks"]), None)
        told = None if first is None else (run_id, first["code"], first["run_id"], first["task"])
        if first is not None and told != self._told:
            self._output.note(f"Run {run_id} waits: {first['message']} What clears it: {first['clears']}")
        self._told = told


def _blockers(api: "ApiClient", run_id: int | str) -> list[dict[str, Any]]:
    """What keeps a run from running; nothing where the server cannot tell, as that is asked for beside the point."""
    try:
        blockers: list[dict[str, Any]] = api.get("task-runs", run_id, "explain")["blockers"]
    except ClientError:
        return []
    return blockers
