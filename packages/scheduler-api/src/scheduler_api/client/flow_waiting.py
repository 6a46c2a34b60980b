"""Waits until a flow has ended."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from scheduler_api.client.client_error import WaitTimeoutError
from scheduler_api.client.flow_words import counts_words
from scheduler_api.client.output import Output
from scheduler_api.client.run_waiting import POLL_SECONDS_FIRST, POLL_SECONDS_MAX, is_final
from scheduler_api.client.waiting_notes import WaitingNotes

if TYPE_CHECKING:
    from scheduler_api.client.api_client import ApiClient


def wait_for_flow(
    api: "ApiClient",
    output: Output,
    flow_id: int,
    *,
    timeout_seconds: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """The flow once none of its runs goes on; while none of them runs it is told why.

    Raises WaitTimeoutError after `timeout_seconds`.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    pause = POLL_SECONDS_FIRST
    notes = WaitingNotes(api, output)
    seen: dict[str, int] | None = None
    with output.progress(f"Waiting for flow {flow_id}") as progress:
        while True:
            flow: dict[str, Any] = api.get("flows", flow_id, nodes="false")["flow"]
            if is_final(flow["status"]):
                return flow
            if flow["by_status"] != seen:
                seen, pause = flow["by_status"], POLL_SECONDS_FIRST
                progress.say(f"Waiting for flow {flow_id}: {counts_words(flow['by_status'])}")
            _look_why(api, notes, flow)
            left = float("inf") if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise WaitTimeoutError(
                    f"Flow {flow_id} has not ended after {timeout_seconds:g} s: {counts_words(flow['by_status'])}. It "
                    f"goes on; look with `scheduler flow show {flow_id}`, or wait longer with `scheduler flow wait`."
                )
            sleep(min(pause, left))
            pause = min(pause * 1.5, POLL_SECONDS_MAX)


def _look_why(api: "ApiClient", notes: WaitingNotes, flow: dict[str, Any]) -> None:
    """Tell what keeps the first run that waits for no other run of the flow."""
    if not notes.is_due or flow["by_status"].get("RUNNING"):
        return
    nodes = api.get("flows", flow["id"])["nodes"]
    waiting = [node for node in nodes if node["status"] in ("DISPATCHED", "PENDING") and not node.get("group")]
    for node in sorted(waiting, key=lambda node: (node["waiting_on"], node["run_id"]))[:1]:
        notes.look(node["run_id"], node["status"])
