"""When a dependency on intervals is fulfilled, and what is said when it is not."""

from collections.abc import Mapping
from typing import Final

from scheduler_core.decisions.interval_text import interval_words, parse_condition
from scheduler_core.models import Dependency
from scheduler_core.models.interval_wait import IntervalWait, MissingSlot, SlotOutcome

_OUTCOME_WORDS: Final = {
    SlotOutcome.SUCCESS: "succeeded",
    SlotOutcome.FAILURE: "failed",
    SlotOutcome.SKIPPED: "skipped",
    SlotOutcome.NO_RUN: "without a run",
}


def is_met(condition: str, expected: int, outcomes: Mapping[SlotOutcome, int]) -> bool:
    """Whether what is waited for has come: `outcomes` are those of the `expected` slots that are known.

    at_least:N means all of them where fewer than N are expected. Nothing expected is met.

    >>> is_met("at_least:20", 23, {SlotOutcome.SUCCESS: 20, SlotOutcome.FAILURE: 1})
    True
    """
    if expected == 0:
        return True
    word, needed = parse_condition(condition)
    if word == "failure":
        return outcomes.get(SlotOutcome.FAILURE, 0) > 0
    if word == "finished":
        return sum(outcomes.values()) >= expected
    return outcomes.get(SlotOutcome.SUCCESS, 0) >= (min(needed, expected) if word == "at_least" else expected)


def unmet_error(wait: IntervalWait) -> str:
    """What is said of a run that does not run because this dependency was not met by its deadline."""
    slots = "slot" if wait.expected == 1 else "slots"
    counts = ", ".join(f"{number} {_OUTCOME_WORDS[outcome]}" for outcome, number in sorted(wait.outcomes.items()))
    lacking = wait.expected - wait.outcomes.get(SlotOutcome.SUCCESS, 0)
    told = [_missing_text(slot) for slot in wait.missing] + ["…"] * (lacking > len(wait.missing))
    words = f"{interval_words(wait.dependency)} ({wait.dependency.condition})"
    return (
        f"Not run: its dependency on {words} was not met by the deadline. "
        f"{wait.expected} {slots} awaited, {counts or 'none has ended'}"
        f"{'. Without success: ' + '; '.join(told) if told else ''}."
    )


def never_met_error(dependency: Dependency, reason: str) -> str:
    """What is said of a run that does not run because this dependency cannot be met at all."""
    return f"Not run: its dependency on {interval_words(dependency)} can never be met. {reason}"


def _missing_text(slot: MissingSlot) -> str:
    instant = slot.scheduled_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    if slot.upstream_run_id is not None:
        return f"{instant} (run {slot.upstream_run_id} is {slot.upstream_status})"
    return f"{instant} ({'it has no run' if slot.outcome is SlotOutcome.NO_RUN else 'no run yet'})"
