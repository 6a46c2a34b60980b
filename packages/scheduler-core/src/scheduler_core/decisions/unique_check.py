"""Whether what a task says about runs that are there already can be accepted."""

from collections.abc import Iterator

from scheduler_core.decisions.expression_text import expression_text_problem
from scheduler_core.errors import Problem
from scheduler_core.models import UniquePolicy

SECONDS_MAX = 366 * 86_400.0


def check_unique(policy: UniquePolicy) -> Iterator[Problem]:
    """Everything that is wrong with it; fields begin with ``unique.``. Its expression is judged by templates, too."""
    if policy.key is not None and (problem := expression_text_problem("key", policy.key)) is not None:
        yield Problem("unique.key", problem)
    times = {
        "window": policy.window_seconds,
        "debounce": policy.debounce_seconds,
        "debounce_max": policy.debounce_max_seconds,
        "throttle": policy.throttle_seconds,
    }
    for name, seconds in times.items():
        if seconds is not None and not 0 < seconds <= SECONDS_MAX:  # false for NaN, too
            yield Problem(
                f"unique.{name}",
                f"{name} is a time above 0 and at most 366 days, not {seconds:g} seconds. Write it as 10m or 1h30m.",
            )
    yield from _check_together(policy)


def _check_together(policy: UniquePolicy) -> Iterator[Problem]:
    debounce, longest = policy.debounce_seconds, policy.debounce_max_seconds
    if debounce is not None and policy.throttle_seconds is not None:
        yield Problem(
            "unique.throttle",
            "throttle and debounce exclude each other: one lets the first trigger of a time run, the other the last. "
            "Give one of them.",
        )
    if policy.throttle_seconds is not None and policy.window_seconds is not None:
        yield Problem(
            "unique.window",
            "throttle is such a window already, for runs in whatever state. Give one of them.",
        )
    if policy.throttle_seconds is not None and policy.states != UniquePolicy().states:
        yield Problem(
            "unique.states",
            "throttle counts runs in whatever state. Leave states out, or give window instead of throttle.",
        )
    if longest is not None and debounce is None:
        yield Problem("unique.debounce_max", "debounce_max is how long debounce may put a run off. Give debounce, too.")
    elif longest is not None and debounce is not None and longest < debounce:
        yield Problem(
            "unique.debounce_max",
            f"debounce_max {longest:g} s is less than debounce {debounce:g} s, so nothing would be put off. Raise it.",
        )
    if not policy.states:
        yield Problem("unique.states", "states names no state, so no run would ever count. Name one, or leave it out.")
    elif len(set(policy.states)) < len(policy.states):
        yield Problem("unique.states", "A state is named more than once in states. Name it once.")
