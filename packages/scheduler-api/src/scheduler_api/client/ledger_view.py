"""The ledger for people: its entries, what is wrong with it, and what helps."""

from collections.abc import Iterator, Mapping
from datetime import UTC, timedelta
from typing import Any

from scheduler_api.client.human_time import parse_instant, show_instant, show_time_between
from scheduler_api.client.ledger_totals import LedgerTotals

ENTRY_HEADINGS = ("SCHEDULED", "UNTIL", "SLOTS", "OUTCOME", "RUN", "ZONE DATA")
FINDING_HEADINGS = ("TASK", "FINDING", "FIRST", "LAST", "SLOTS", "RECORDED", "RUN", "ZONE DATA")

_REMEDIES = {
    "HOLE": (
        "these slots have no entry, so nothing tells whether they ran. Where that matters, trigger the task by hand."
    ),
    "DOUBLE": "these slots have more than one entry. Look at their runs with `scheduler run show`.",
    "STRANGER": (
        "these entries stand for other slots than the schedule of that time has. SLOTS is how many there are, RECORDED "
        "how many the entry claims. A ZONE DATA beside it: the zone's rules were others when it was computed."
    ),
    "UNCOMPUTABLE": "this schedule gives no slots any more. Correct it with `scheduler task update`.",
}

# A slot that is due this very moment is nothing to speak of.
_BEHIND = timedelta(seconds=10)


def entry_row(entry: Mapping[str, Any]) -> list[str]:
    """One entry as a line."""
    is_stretch = entry["count"] > 1
    return [
        show_instant(entry["scheduled_at"], UTC),
        show_instant(entry["last_scheduled_at"], UTC) if is_stretch else "-",
        str(entry["count"]),
        str(entry["reason"] or entry["run_status"] or "run, removed by retention"),
        str(entry["run_id"] or "-"),
        str(entry["zone_data"] or "-"),
    ]


def finding_row(item: Mapping[str, Any], finding: Mapping[str, Any]) -> list[str]:
    """One finding as a line."""
    return [
        f"{item['task_name']} (id {item['task_id']})",
        str(finding["kind"]),
        show_instant(finding["first_at"], UTC),
        show_instant(finding["last_at"], UTC),
        str(finding["expected"]),
        str(finding["recorded"]),
        str(finding["run_id"] or "-"),
        str(finding["zone_data"] or "-"),
    ]


def notes_on(totals: LedgerTotals) -> Iterator[str]:
    """What is to be said about it, sentence by sentence: what helps, and what could not be looked at."""
    findings = [finding for item in totals.items for finding in item["findings"]]
    if left_out := totals.number("findings_count") - len(findings):
        yield f"{left_out} more findings are not listed. Narrow the range with --from and --to."
    for kind, remedy in _REMEDIES.items():
        if any(finding["kind"] == kind for finding in findings):
            yield f"{kind}: {remedy}"
    for error in dict.fromkeys(finding["error"] for finding in findings if finding["error"]):
        yield f"  {error}"
    if behind := [item["behind_since"] for item in totals.items if _is_behind(item, totals)]:
        yield (
            f"Behind: the due slots of {len(behind)} tasks wait for a dispatcher, the oldest one for "
            f"{show_time_between(min(behind, key=parse_instant), totals.checked_at)}. Look at `scheduler status`."
        )
    if unverifiable := totals.number("unverifiable"):
        yield (
            f"{unverifiable} slots cannot be verified: they are older than the schedules on record, or follow a run "
            "that was removed by retention."
        )


def summary_line(totals: LedgerTotals) -> str:
    """All of it in a line."""
    outcomes = [f"{totals.number('runs')} runs", *(f"{count} {name}" for name, count in totals.reasons().items())]
    count = totals.number("findings_count")
    verdict = "clean" if totals.is_clean else f"{count} finding{'' if count == 1 else 's'}"
    return f"{verdict}: {totals.tasks} tasks, {totals.slots} slots ({', '.join(outcomes)})"


def _is_behind(item: Mapping[str, Any], totals: LedgerTotals) -> bool:
    if item["behind_since"] is None or totals.checked_at is None:
        return False
    return parse_instant(totals.checked_at) - parse_instant(item["behind_since"]) > _BEHIND
