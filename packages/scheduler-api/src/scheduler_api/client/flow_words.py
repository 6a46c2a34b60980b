"""What the runs of a flow say for themselves, in the words of every picture of it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from scheduler_api.client.human_time import show_time_between
from scheduler_api.client.run_waiting import is_final

_SKIPS = {
    "UPSTREAM_FAILED": "skipped: a run upstream failed",
    "UPSTREAM_SKIPPED": "skipped: a run upstream was skipped",
    "RULE_UNMET": "skipped: its rule for failures does not hold",
    "WHEN_FALSE": "skipped: its condition was false",
    "DEPENDENCY_UNMET": "skipped: an interval it depends on was not met",
    "GROUP_FAILED": "skipped: too many runs of its group failed",
    "WORKER_GONE": "skipped: its worker was gone",
    "JOB_ASKED": "skipped: its job found nothing to do",
}
_COLOURS = {
    "COMPLETED": "32", "RUNNING": "36", "DISPATCHED": "36", "FAILED": "31", "TIMEOUT": "31", "QUARANTINED": "31",
    "CANCELLED": "33", "SKIPPED": "33",
}  # fmt: skip
_KINDS = {"sub_flow": "sub-flow"}
_NOT_COMPLETED = ("FAILED", "TIMEOUT", "QUARANTINED", "CANCELLED", "SKIPPED")
_FAILURES = ("FAILED", "TIMEOUT", "QUARANTINED")
_ERROR_CHARACTERS_MAX = 100


def status_colour(status: str) -> str | None:
    """The number of the terminal's colour for a status; None: no colour of its own."""
    return _COLOURS.get(status)


def skip_words(reason: str | None) -> str | None:
    """Why a run was skipped, as a phrase; None for one without a reason.

    >>> skip_words("WHEN_FALSE")
    'skipped: its condition was false'
    """
    return None if reason is None else _SKIPS.get(reason, f"skipped: {reason.lower().replace('_', ' ')}")


def group_words(group: Mapping[str, Any], status: str = "PENDING") -> str:
    """A group's kind and how far it has come; `status` is its head's. What an earlier flow had completed counts, too.

    >>> group_words({"kind": "map", "size": 4, "by_status": {"COMPLETED": 1}})
    'map 4/4, 3 taken over'
    >>> group_words({"kind": "map", "size": 20, "by_status": {"COMPLETED": 16, "FAILED": 1, "RUNNING": 3}})
    'map 17/20, 3 running, 1 failed'
    """
    kind = _KINDS.get(group["kind"], group["kind"])
    counts: Mapping[str, int] = group.get("by_status") or {}
    if group.get("size") is None:
        return f"{kind}, {'no runs were made' if is_final(status) else 'its runs are not made yet'}"
    over = 0 if kind == "sub-flow" else max(0, group["size"] - sum(counts.values()))
    ended = over + sum(count for name, count in counts.items() if is_final(name))
    parts = [f"{kind} {ended}/{group['size']}"]
    parts += [f"{counts[name]} {name.lower()}" for name in ("RUNNING", *_NOT_COMPLETED) if counts.get(name)]
    parts += [f"{over} taken over"] if over else []
    return ", ".join(parts)


def took_words(node: Mapping[str, Any], now: str | None = None) -> str:
    """How long a run took, or has taken so far; of a group from its first start to its last end; "-": not known."""
    start, end = span_of(node, now or datetime.now(UTC).isoformat())
    told = show_time_between(start, end)
    return f"{told} so far" if _goes_on(node) and start is not None else told


def span_of(node: Mapping[str, Any], now: str) -> tuple[str | None, str | None]:
    """When a run, or the first run of a group, started, and when it, or the last one, ended; `now` while it runs.

    None twice for what has not run, or waits to run once more.
    """
    group: Mapping[str, Any] = node.get("group") or {}
    start = node.get("started_at") or group.get("started_at")
    end = node.get("completed_at") or (now if _goes_on(node) else None)
    return (start, end) if start is not None and end is not None else (None, None)


def by_head(nodes: Sequence[Mapping[str, Any]]) -> dict[int | None, list[Mapping[str, Any]]]:
    """The runs of each sub-flow, by its head; by None those that belong to none that is shown."""
    known = {node["run_id"] for node in nodes}
    found: dict[int | None, list[Mapping[str, Any]]] = {}
    for node in nodes:
        head = node.get("group_id")
        found.setdefault(head if head in known else None, []).append(node)
    return found


def look_of(node: Mapping[str, Any]) -> str:
    """The status that a run looks like in a picture: a group whose runs go on looks like a running one."""
    has_begun = node.get("group") and node["group"].get("started_at") is not None
    return "RUNNING" if has_begun and node["status"] == "PENDING" else str(node["status"])


def note_words(node: Mapping[str, Any]) -> list[str]:
    """What else is to be said of a run, most important first."""
    status = node["status"]
    notes = [group_words(node["group"], status)] if node.get("group") else []
    skipped = skip_words(node.get("skip_reason"))
    if skipped:
        notes.append(skipped)
    if node.get("attempt", 0) > 1:
        notes.append(f"attempt {node['attempt']}")
    if status == "PENDING" and node.get("waiting_on") and not (node.get("group") or {}).get("size"):
        notes.append(f"waits for {node['waiting_on']}")
    if node.get("trigger_rule"):
        notes.append(f"rule {node['trigger_rule']}")
    if node.get("retry_of"):
        notes.append(f"again for run {node['retry_of']}")
    if status in _FAILURES and node.get("error"):
        notes.append(_glance(str(node["error"])))
    return notes


def edge_words(edge: Mapping[str, Any]) -> str:
    """What an edge from another flow means.

    >>> edge_words({"kind": "given", "upstream_run_id": 3, "upstream_task_name": "a", "upstream_status": "COMPLETED"})
    'a taken from run 3 (COMPLETED)'
    """
    of = f"run {edge['upstream_run_id']}"
    if edge["kind"] == "given":
        return f"{edge['upstream_task_name']} taken from {of} ({edge['upstream_status']})"
    return f"behind {of} of an earlier slot ({edge['upstream_status']})"


def counts_words(by_status: Mapping[str, int]) -> str:
    """Counts as one phrase.

    >>> counts_words({"COMPLETED": 2, "FAILED": 1})
    '2 completed, 1 failed'
    """
    return ", ".join(f"{count} {status.lower()}" for status, count in by_status.items()) or "-"


def _goes_on(node: Mapping[str, Any]) -> bool:
    return bool(node["status"] == "RUNNING" or (node.get("group") and node["status"] == "PENDING"))


def _glance(error: str) -> str:
    line = (error.strip().splitlines() or ["-"])[0]
    line = line.removesuffix(".")
    return line if len(line) <= _ERROR_CHARACTERS_MAX else line[: _ERROR_CHARACTERS_MAX - 1] + "…"
