"""Runs as tables: what the columns of `run list` and the lines of `run show` say."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from scheduler_api.client.flow_words import skip_words
from scheduler_api.client.human_time import show_instant, show_time_between
from scheduler_api.client.output import Output
from scheduler_api.client.run_progress import progress_words

RUN_HEADINGS = ("ID", "TASK", "STATUS", "TRIGGER", "SCHEDULED", "TOOK", "ATTEMPT", "WORKER", "ERROR")
_TOLD_MAX = 10
_PROGRESS_CHARACTERS_MAX = 40


def run_row(run: Mapping[str, Any]) -> list[str]:
    """One run as a line of the list."""
    return [
        str(run["id"]),
        str(run.get("task_name") or run["task_id"]),
        run_status(run),
        str(run.get("trigger") or "-"),
        show_instant(run.get("scheduled_at")),
        run_took(run),
        str(run.get("attempt", 0)),
        str(run.get("worker_id") or "-"),
        str(run.get("error") or "-"),
    ]


def run_status(run: Mapping[str, Any]) -> str:
    """Where it stands, and whether it stands still there or is to.

    >>> run_status({"status": "RUNNING", "paused_at": "2027-01-31T09:00:00Z"})
    'RUNNING, paused'
    """
    status = str(run["status"])
    if status != "RUNNING":
        return status
    if run.get("paused_at"):
        # Who asked that it goes on has no longer asked that it stands still.
        return f"{status}, {'paused' if run.get('pause_requested', True) else 'resuming'}"
    return f"{status}, pausing" if run.get("pause_requested") else status


def run_table(runs: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], list[list[str]]]:
    """Headings and lines of a list of runs, with what the jobs say of themselves where any has said something."""
    rows = [run_row(run) for run in runs]
    told = [progress_words(run.get("progress"), characters_max=_PROGRESS_CHARACTERS_MAX) for run in runs]
    if not any(told):
        return RUN_HEADINGS, rows
    return (*RUN_HEADINGS, "PROGRESS"), [[*row, words or "-"] for row, words in zip(rows, told, strict=True)]


def run_fields(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """One run in full."""
    pairs = [
        ("Run", str(run["id"])),
        ("Task", f"{run.get('task_name')} (id {run['task_id']}, version {run.get('task_version')})"),
        ("Status", run_status(run)),
        ("Trigger", str(run.get("trigger") or "-") + (f", retry of {run['retry_of']}" if run.get("retry_of") else "")),
        ("Flow", str(run.get("flow_id") or "-")),
        ("Scheduled", show_instant(run.get("scheduled_at"))),
        *_interval(run),
        ("Started", show_instant(run.get("started_at"))),
        ("Completed", show_instant(run.get("completed_at"))),
        ("Took", run_took(run)),
        ("Attempt", _attempt(run)),
        ("Worker", str(run.get("worker_id") or "-")),
        ("Queue", f"{run.get('queue')}, priority {run.get('priority')}"),
    ]
    if run.get("background"):
        pairs.append(("Background", "yes: after all others, but for a guaranteed share"))
    if run.get("assigned_worker_id") and not run.get("worker_id"):
        pairs.append(("Meant for", str(run["assigned_worker_id"])))
    if run.get("waiting_on") and not run.get("completed_at") and run.get("group_size") is None:
        pairs.append(("Waits for", f"{run['waiting_on']} more: `scheduler explain run {run['id']}`"))
    if run.get("not_before"):
        pairs.append(("Not before", show_instant(run["not_before"])))
    pairs += _place(run)
    if run.get("paused_at"):
        pairs.append(("Paused", f"since {show_instant(run['paused_at'])}: `scheduler run resume {run['id']}`"))
    if run.get("start_before") and not run.get("completed_at"):
        pairs.append(("Start before", show_instant(run["start_before"])))
    if run.get("end_before") and not run.get("completed_at"):
        pairs.append(("End before", show_instant(run["end_before"])))
    if run.get("cancel_requested"):
        pairs.append(("Cancel", "requested"))
    if progress := run.get("progress"):
        words = progress_words(progress, with_metrics=True)
        pairs.append(("Progress", f"{words or '-'}, told {show_instant(progress.get('reported_at'))}"))
    if run.get("parameters"):
        pairs.append(("Parameters", json.dumps(run["parameters"], indent=2, ensure_ascii=False)))
    if run.get("result") is not None:
        pairs.append(("Result", json.dumps(run["result"], indent=2, ensure_ascii=False)))
    if run.get("error"):
        pairs.append(("Error", str(run["error"])))
    return pairs


def _interval(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The data interval of a run that belongs to a slot."""
    if run.get("interval_from") is None:
        return []
    return [("Covers", f"{show_instant(run['interval_from'])} until {show_instant(run.get('interval_to'))}")]


def _place(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Why it was skipped, and what it is in its flow beside an ordinary run."""
    pairs = []
    if run.get("skip_reason"):
        pairs.append(("Reason", skip_words(run["skip_reason"]) or "-"))
    if run.get("stale_since"):
        since = f"since {show_instant(run['stale_since'])}, when run {run['stale_run_id']} had completed"
        pairs.append(("Stale", f"{since}: `scheduler run retry {run['id']}`"))
    if run.get("trigger_rule"):
        pairs.append(("Rule", str(run["trigger_rule"])))
    if run.get("group_size") is not None:
        word = "run" if run["group_size"] == 1 else "runs"
        pairs.append(("Group of", f"{run['group_size']} {word}: `scheduler run group {run['id']}`"))
    if run.get("group_id") is not None:
        index = f", index {run['shard_index']} of {run['shard_total']}" if run.get("shard_index") is not None else ""
        pairs.append(("In group", f"{run['group_id']}{index}"))
    if run.get("item") is not None:
        pairs.append(("Item", json.dumps(run["item"], ensure_ascii=False)))
    return pairs


def run_took(run: Mapping[str, Any]) -> str:
    """How long its last attempt took, or has taken so far."""
    if run.get("status") == "RUNNING" and run.get("started_at"):
        return show_time_between(run["started_at"], datetime.now(UTC).isoformat()) + " so far"
    return show_time_between(run.get("started_at"), run.get("completed_at"))


def _attempt(run: Mapping[str, Any]) -> str:
    text = str(run.get("attempt", 0))
    told = [
        f"{run[name]} {name if run[name] > 1 else name[:-2] if name == 'losses' else name[:-1]}"
        + (
            f", {run['max_retries']} {'retry' if run['max_retries'] == 1 else 'retries'} allowed"
            if name == "failures"
            else ""
        )
        for name in ("failures", "losses")
        if run.get(name)
    ]
    return f"{text} ({', '.join(told)})" if told else text


def tell_errors(output: Output, runs: Iterable[Mapping[str, Any]]) -> None:
    """Say of the first runs that did not complete why, in full."""
    for run in islice((run for run in runs if run["status"] != "COMPLETED" and run.get("error")), _TOLD_MAX):
        output.trouble(f"Run {run.get('run_id') or run['id']} of {run['task_name']} is {run['status']}: {run['error']}")
