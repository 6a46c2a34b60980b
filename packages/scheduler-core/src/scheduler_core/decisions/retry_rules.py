"""Whether a failed run is tried again, and how long it waits before."""

import math
import random

from scheduler_core.decisions.output_patterns import is_in_output
from scheduler_core.interfaces.task_executor import RunOutcome
from scheduler_core.models import RetryPolicy, TaskRunStatus


def next_delay_seconds(policy: RetryPolicy, outcome: RunOutcome, failures: int, random: random.Random) -> float | None:
    """Seconds until the attempt that ended so may be followed by another one, None when it is not to be.

    Nothing is tried again that would be useless; else what the job asks for comes first. How many retries are left is
    not looked at.
    """
    if not outcome.retryable or outcome.status not in (TaskRunStatus.FAILED, TaskRunStatus.TIMEOUT):
        return None
    if outcome.retry_after_seconds is not None:
        return max(0.0, outcome.retry_after_seconds)
    if outcome.status is TaskRunStatus.FAILED and not is_retried(policy, outcome):
        return None
    return retry_delay_seconds(policy, failures, random)


def is_retried(policy: RetryPolicy, outcome: RunOutcome) -> bool:
    """Whether a failure fits one of the policy's conditions, or there are none.

    >>> outcome = RunOutcome(status=TaskRunStatus.FAILED, exit_code=75)
    >>> is_retried(RetryPolicy(on_exit_codes=(75,)), outcome), is_retried(RetryPolicy(on_statuses=(503,)), outcome)
    (True, False)
    """
    if not (policy.on_exit_codes or policy.on_statuses or policy.on_exceptions or policy.on_output):
        return True
    return (
        outcome.exit_code in policy.on_exit_codes
        or outcome.http_status in policy.on_statuses
        or any(_is_named(name, policy.on_exceptions) for name in outcome.exception_types)
        or is_in_output(policy.on_output, outcome.output_end)
    )


def retry_delay_seconds(policy: RetryPolicy, failures: int, random: random.Random) -> float:
    """Seconds to wait: delay x multiplier^failures, or the next of `delays`, capped, then varied by up to `jitter`.

    `failures` counts those before the one that asks, so the first retry waits `delay_seconds`. Never negative,
    and never more than max_delay_seconds x (1 + jitter).

    >>> import random
    >>> policy = RetryPolicy(delay_seconds=10, multiplier=3, max_delay_seconds=60, jitter=0)
    >>> [retry_delay_seconds(policy, failures, random.Random(1)) for failures in range(4)]
    [10.0, 30.0, 60.0, 60.0]
    >>> policy = RetryPolicy(delays=(1, 5), jitter=0)
    >>> [retry_delay_seconds(policy, failures, random.Random(1)) for failures in range(3)]
    [1.0, 5.0, 5.0]
    """
    delay = min(_grown(policy, failures), policy.max_delay_seconds)
    return max(0.0, delay * (1.0 + policy.jitter * random.uniform(-1.0, 1.0)))


def _grown(policy: RetryPolicy, failures: int) -> float:
    if policy.delays:
        return policy.delays[min(failures, len(policy.delays) - 1)]
    if policy.delay_seconds <= 0:
        return 0.0
    try:
        return policy.delay_seconds * math.pow(policy.multiplier, failures)
    except OverflowError:
        return math.inf


def _is_named(dotted: str, names: tuple[str, ...]) -> bool:
    """Whether a class is among the names, which may be dotted or not."""
    return dotted in names or dotted.rpartition(".")[2] in names
